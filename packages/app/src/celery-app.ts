import { randomUUID } from 'node:crypto'
import { BackendRegistry, type ResultBackend } from '@celery/backend'
import {
  type AnyArgs,
  type CallOptions,
  type CallPlan,
  type Dispatcher,
  planCall,
  resultLine,
  type Signature,
  signature,
  signatureData,
  wireOptions,
} from '@celery/canvas'
import { Connection, type ConnectionOptions, Producer, TransportRegistry } from '@celery/messaging'
import { ErrorRegistry, type SignatureData } from '@celery/protocol'
import { AsyncResult } from '@celery/results'
import { CompressionRegistry, SerializerRegistry } from '@celery/serialization'
import { parseBrokerUrl } from '@celery/transport'
import { AlreadyRegisteredError, AppClosedError, NoBackendError, SyncSubtaskError } from './app-errors.ts'
import { AppResults } from './app-results.ts'
import { parametersOf } from './arguments.ts'
import { closestName } from './closest-name.ts'
import { type Configuration, createConfiguration, type SettingsInput } from './configuration.ts'
import { createRemoteTask, createTask } from './create-task.ts'
import { backendPackages, importBackend, importTransport, transportPackages } from './driver-packages.ts'
import { localQueueUrl } from './local-queue.ts'
import { Outgoing } from './outgoing.ts'
import { Router } from './router.ts'
import { registerCeleryErrors } from './stored-errors.ts'
import type { FittingParams, KwargsOf, RegisteredTask, RemoteTask, Task, TaskOptions } from './task.ts'
import { type TaskContext, workerTask } from './task-context.ts'
import { Tracer } from './tracer.ts'

const lateTaskAdvice =
  'calls of it that came before were refused, and pool processes may not know it: ' +
  'declare it before, in a module that include names for example'

/** Recognises apps of other installed copies of this package. */
const appBrand = Symbol.for('celery.app')

export interface AppOptions {
  /** Broker URL, or several for failover. @defaultValue `CELERY_BROKER_URL`, else the embedded broker */
  readonly broker?: string | readonly string[]
  /** Result backend URL. @defaultValue `CELERY_RESULT_BACKEND`; with the embedded broker, the same file */
  readonly backend?: string
  /** Modules that a worker imports. */
  readonly include?: readonly string[]
  /** Settings, as with `app.conf.update()`. */
  readonly settings?: SettingsInput
  /** Folder from which the embedded broker's file and driver packages are found. @defaultValue the working directory */
  readonly root?: string
  /** Told what a user should know: the embedded broker's file, a setting without effect. @defaultValue `process.emitWarning` for warnings, standard error for notices */
  readonly notify?: (message: string) => void
}

/**
 * A Celery application: declares tasks, sends them, reads their results. Everything it opens is opened when first
 * used and closed by `close()`, for good; until then open connections keep a program from ending.
 */
export class CeleryApp implements Dispatcher, AsyncDisposable {
  /** Name of the app, for people. */
  readonly main: string
  /** Settings. */
  readonly conf: Configuration
  /** Tasks declared here, by name. */
  readonly tasks: ReadonlyMap<string, RegisteredTask>
  /** Broker drivers by URL scheme. */
  readonly transports: TransportRegistry = new TransportRegistry()
  /** Result store drivers by URL scheme. */
  readonly backends: BackendRegistry = new BackendRegistry()
  readonly serializers: SerializerRegistry = new SerializerRegistry()
  readonly compressions: CompressionRegistry = new CompressionRegistry()
  /** Error classes that are rebuilt from stored results. */
  readonly errors: ErrorRegistry = new ErrorRegistry()
  /** Runs received tasks; for workers. @internal */
  readonly tracer: Tracer
  readonly #tasks = new Map<string, RegisteredTask>()
  readonly #outgoing: Outgoing
  readonly #results: AppResults
  readonly #closed = new AbortController()
  readonly #root: string
  readonly #notify: (message: string) => void
  #announced = false
  #finalized = false
  #local: string | undefined
  #connection: Connection | undefined
  #producer: Producer | undefined
  #backend: Promise<ResultBackend> | undefined

  constructor(main: string, options: AppOptions = {}) {
    this.main = main
    Object.defineProperty(this, appBrand, { value: true })
    this.#root = options.root ?? process.cwd()
    this.#notify = options.notify ?? ((message) => process.stderr.write(`celery: ${message}\n`))
    this.tasks = this.#tasks
    const { conf, settings } = createConfiguration({ warn: this.#notify })
    this.conf = conf
    this.conf.brokerUrl = options.broker ?? process.env.CELERY_BROKER_URL
    this.conf.resultBackend = options.backend ?? process.env.CELERY_RESULT_BACKEND
    if (options.include !== undefined) this.conf.include = options.include
    if (options.settings !== undefined) this.conf.update(options.settings)
    registerCeleryErrors(this.errors)
    for (const [scheme, driver] of Object.entries(transportPackages)) {
      this.transports.register(scheme, () => importTransport(driver, scheme, this.#root))
    }
    for (const [scheme, driver] of Object.entries(backendPackages)) {
      this.backends.register(scheme, () => importBackend(driver, scheme, this.#root))
    }
    const { serializers, compressions, errors } = this
    const task = (name: string): RegisteredTask | undefined => this.#tasks.get(name)
    this.#outgoing = new Outgoing({ settings, router: new Router(settings), serializers, compressions, task })
    this.tracer = new Tracer({
      settings,
      task,
      serializers,
      compressions,
      errors,
      outgoing: this.#outgoing,
      closestTask: (name) => this.closestTask(name),
      keepsResults: () => this.#backendUrl !== undefined,
    })
    this.#results = new AppResults(
      {
        backend: () => this.backend(),
        errors,
        assertMayBlock: () => {
          const running = workerTask()
          if (running !== undefined && conf.taskDisableSyncSubtasks) throw new SyncSubtaskError(running.request.task)
        },
      },
      this.#closed.signal,
    )
  }

  /** Whether `value` is an app, of this or another installed copy of the package. */
  static is(value: unknown): value is CeleryApp {
    return typeof value === 'object' && value !== null && appBrand in value
  }

  /**
   * Declares a task. The name is what travels: it must be the same in the client and in the worker.
   * With `bind: true` the function gets the task's context as its first argument.
   * Declare tasks before a worker starts: it refuses those that it does not know yet, and its processes only know what the
   * modules they import declare. A task declared later can be sent and, in this process, run; the app says so.
   * @throws AlreadyRegisteredError for another task of the same name.
   */
  task<Run extends BoundFunction, const Params extends readonly string[] = readonly []>(
    name: string,
    fn: Run,
    options: TaskOptions<Params> & FittingParams<Params, BoundArgs<Run>> & { readonly bind: true },
  ): Task<BoundArgs<Run>, Awaited<ReturnType<Run>>, KwargsOf<Params, BoundArgs<Run>>>
  task<Run extends AnyFunction, const Params extends readonly string[] = readonly []>(
    name: string,
    fn: Run,
    options?: TaskOptions<Params> & FittingParams<Params, Parameters<Run>> & { readonly bind?: false },
  ): Task<Parameters<Run>, Awaited<ReturnType<Run>>, KwargsOf<Params, Parameters<Run>>>
  task(name: string, fn: (...args: never[]) => unknown, options: TaskOptions = {}): Task<never[], unknown> {
    if (this.#tasks.has(name)) throw new AlreadyRegisteredError(name)
    if (this.#finalized) this.#notify(`the task "${name}" was declared after the worker had started; ${lateTaskAdvice}`)
    const bound = options.bind === true
    const body = fn as unknown as (...args: readonly unknown[]) => unknown
    const registered: RegisteredTask = {
      name,
      options,
      parameters: parametersOf(fn, bound, options.params),
      arity: Math.max(0, fn.length - (bound ? 1 : 0)),
      run: bound ? (context, args) => body(context, ...args) : (_context, args) => body(...args),
    }
    this.#tasks.set(name, registered)
    return createTask(registered, this) as unknown as Task<never[], unknown>
  }

  /** Types a task that lives elsewhere: `app.remote<[x: number, y: number], number>('proj.add')`. */
  remote<Args extends AnyArgs = AnyArgs, Result = unknown, Kwargs extends object = Readonly<Record<string, unknown>>>(
    name: string,
  ): RemoteTask<Args, Result, Kwargs> {
    return createRemoteTask(name, this) as unknown as RemoteTask<Args, Result, Kwargs>
  }

  /** Sends a task by its name. Nothing is known of its parameters here, so nothing is checked. */
  sendTask<Result = unknown>(
    name: string,
    args: AnyArgs = [],
    options: CallOptions & { readonly kwargs?: Readonly<Record<string, unknown>> } = {},
  ): Promise<AsyncResult<Result>> {
    const { kwargs = {}, ...rest } = options
    const data = signatureData({ task: name, args, kwargs, options: wireOptions(rest) })
    return this.send(planCall(data, this)) as Promise<AsyncResult<Result>>
  }

  /** A signature by name, sent from this app. */
  signature<Result = unknown>(task: string, args: AnyArgs = [], options: CallOptions = {}): Signature<AnyArgs, Result> {
    return signature<Result>(task, args, { ...options, dispatcher: this })
  }

  /** A handle on the result of any task. */
  asyncResult<Result = unknown>(id: string): AsyncResult<Result> {
    return new AsyncResult<Result>(id, this.#results)
  }

  /** Sends a planned call. @throws AppClosedError @internal */
  async send(plan: CallPlan): Promise<AsyncResult> {
    this.#closed.signal.throwIfAborted()
    // A call made inside of a task belongs to its workflow.
    const publication = this.#outgoing.publication(plan.call, workerTask()?.request)
    this.#producer ??= this.#openProducer()
    await this.#producer.publish(publication)
    return this.resultOf(plan.steps)
  }

  /** @internal */
  resultOf(steps: readonly SignatureData[]): AsyncResult {
    return resultLine(steps, ({ task, options }, parent) => {
      const ignored = options.ignore_result ?? this.#tasks.get(task)?.options.ignoreResult ?? this.conf.taskIgnoreResult
      return new AsyncResult(options.task_id as string, this.#results, { parent, ignored })
    })
  }

  /** A fresh task id. */
  newId(): string {
    return randomUUID()
  }

  /** The registered task name that `name` is most likely meant to be. */
  closestTask(name: string): string | undefined {
    return closestName(name, this.#tasks.keys())
  }

  /** Says that all tasks are declared: from now on, declaring one is worth a notice. A worker calls it when it starts. */
  finalize(): void {
    this.#finalized = true
  }

  /** The result store, opened at the first call. @throws NoBackendError where none is configured; AppClosedError. */
  backend(): Promise<ResultBackend> {
    if (this.#closed.signal.aborted) return Promise.reject(this.#closed.signal.reason)
    const url = this.#backendUrl
    if (url === undefined) return Promise.reject(new NoBackendError())
    this.#backend ??= this.backends
      .open(url, { transportOptions: this.conf.resultBackendTransportOptions })
      .catch((error: unknown) => {
        this.#backend = undefined
        throw error
      })
    return this.#backend
  }

  /** The result store, or `undefined` where results are not kept. */
  async backendIfConfigured(): Promise<ResultBackend | undefined> {
    return this.#backendUrl === undefined ? undefined : this.backend()
  }

  /** A new connection to the broker, for consuming. The caller closes it. */
  connectionForRead(options: Pick<ConnectionOptions, 'onError'> = {}): Connection {
    return this.#connect(options)
  }

  /** A new connection to the broker, for publishing. The caller closes it. */
  connectionForWrite(options: Pick<ConnectionOptions, 'onError'> = {}): Connection {
    return this.#connect(options)
  }

  /** Where messages go, with the password masked. */
  get brokerAddress(): string {
    const addresses = this.#brokerUrls.map((url) => parseBrokerUrl(url))
    return addresses.flatMap((address) => [address, ...address.alternates]).join(';')
  }

  /** Where results go, with the password masked; `undefined` where they are not kept. */
  get backendAddress(): string | undefined {
    const url = this.#backendUrl
    return url === undefined ? undefined : parseBrokerUrl(url).toString()
  }

  /**
   * Closes what was opened, after what is being sent was confirmed. Those who wait for results, and whoever sends or reads
   * after it, get an {@link AppClosedError}. Safe twice.
   */
  async close(): Promise<void> {
    this.#closed.abort(new AppClosedError(this.main))
    await this.#producer?.idle()
    this.#producer = undefined
    const [connection, backend] = [this.#connection, this.#backend]
    this.#connection = undefined
    this.#backend = undefined
    await this.#results.close()
    await connection?.close()
    // One that could not be opened has told whoever asked for it.
    await (await backend?.catch(() => undefined))?.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  toString(): string {
    return `<Celery ${this.main}>`
  }

  get #brokerUrls(): readonly string[] {
    const { brokerUrl } = this.conf
    if (brokerUrl === undefined) return [this.#localUrl]
    return typeof brokerUrl === 'string' ? [brokerUrl] : brokerUrl
  }

  /** With the embedded broker results are kept in the same file, so that the two share its transactions. */
  get #backendUrl(): string | undefined {
    const { brokerUrl, resultBackend } = this.conf
    if (resultBackend !== undefined) return resultBackend
    return brokerUrl === undefined ? this.#localUrl : undefined
  }

  get #localUrl(): string {
    this.#local ??= localQueueUrl(this.#root)
    return this.#local
  }

  #connect(options: Pick<ConnectionOptions, 'onError'>): Connection {
    this.#closed.signal.throwIfAborted()
    const { conf } = this
    const urls = this.#brokerUrls
    if (conf.brokerUrl === undefined && !this.#announced) {
      this.#announced = true
      this.#notify(`no broker is configured; using the embedded one in ${parseBrokerUrl(urls[0] ?? '').path}`)
    }
    return new Connection({
      ...options,
      urls,
      transports: this.transports,
      open: { leaseMs: conf.leaseMs, transportOptions: conf.brokerTransportOptions },
    })
  }

  #openProducer(): Producer {
    const { conf } = this
    this.#connection ??= this.connectionForWrite()
    return new Producer({
      connection: this.#connection,
      publishTimeoutMs: conf.publishTimeoutMs,
      retryPolicy: conf.taskPublishRetry ? conf.taskPublishRetryPolicy : undefined,
    })
  }
}

// The function is inferred whole, not its arguments: a default's type then needs no annotation.
type AnyFunction = (...args: never[]) => unknown
type BoundFunction = (context: TaskContext, ...args: never[]) => unknown
/** `(context, x: number) => …` → `[x: number]` */
type BoundArgs<Run extends BoundFunction> = Run extends (context: TaskContext, ...args: infer Args) => unknown
  ? Args
  : never
