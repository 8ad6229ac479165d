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
import { type Connection, TransportRegistry } from '@celery/messaging'
import { ErrorRegistry, type SignatureData } from '@celery/protocol'
import { AsyncResult } from '@celery/results'
import { CompressionRegistry, SerializerRegistry } from '@celery/serialization'
import { AppConfiguration, type ConfigModuleOptions, type ConfigSourceOptions } from './app-configuration.ts'
import { type AppConnectionOptions, AppConnections } from './app-connections.ts'
import { AppClosedError, ImproperlyConfiguredError, SyncSubtaskError } from './app-errors.ts'
import { AppEvent } from './app-event.ts'
import { AppModules, type DiscoverOptions, type TaskFolders } from './app-modules.ts'
import type { AppOptions } from './app-options.ts'
import { AppResults } from './app-results.ts'
import { AppSignals } from './app-signals.ts'
import { bugReport } from './bug-report.ts'
import type { Configuration, SettingsInput } from './configuration.ts'
import { createRemoteTask, createTask } from './create-task.ts'
import { DeclaredTask } from './declared-task.ts'
import { registerDrivers } from './driver-packages.ts'
import { Outgoing } from './outgoing.ts'
import { addApp, removeApp, runWithApp, setCurrentApp, setDefaultApp } from './process-apps.ts'
import { Router } from './router.ts'
import { registerCeleryErrors } from './stored-errors.ts'
import type { FittingBase, FittingParams, KwargsOf, RegisteredTask, RemoteTask, Task, TaskOptions } from './task.ts'
import { workerTask } from './task-context.ts'
import type { AnyFunction, BoundArgs, BoundFunction } from './task-function.ts'
import { TaskLog } from './task-logger.ts'
import { taskNameOf } from './task-name.ts'
import { declarationOf, type TaskObject } from './task-object.ts'
import { type AnyTask, TaskRegistry } from './task-registry.ts'
import { Tracer } from './tracer.ts'

const lateTaskAdvice =
  'calls of it that came before were refused, and pool processes may not know it: ' +
  'declare it before, in a module that include names for example'

/** Recognises apps of other installed copies of this package. */
const appBrand = Symbol.for('celery.app')

/**
 * A Celery application: declares tasks, sends them, reads their results. Everything it opens is opened when first
 * used and closed by `close()`, for good; until then open connections keep a program from ending.
 */
export class CeleryApp implements Dispatcher, AsyncDisposable {
  /** Name of the app, for people. */
  readonly main: string
  /** Broker drivers by URL scheme. */
  readonly transports: TransportRegistry = new TransportRegistry()
  /** Result store drivers by URL scheme. */
  readonly backends: BackendRegistry = new BackendRegistry()
  readonly serializers: SerializerRegistry = new SerializerRegistry()
  readonly compressions: CompressionRegistry = new CompressionRegistry()
  /** Error classes that are rebuilt from stored results. */
  readonly errors: ErrorRegistry = new ErrorRegistry()
  /** Tells what happens to tasks: `app.signals.taskFailure.connect(({ sender, error }) => …)`. */
  readonly signals: AppSignals = new AppSignals((signal, error) => {
    this.taskLog.contained(`a receiver of ${signal}`, error)
  })
  /** What tasks log: how much of it is written, and where to. */
  readonly taskLog: TaskLog = new TaskLog()
  /** Told once, when the task registry is complete. */
  readonly onAfterFinalize: AppEvent<{ readonly app: CeleryApp }> = new AppEvent()
  /** Runs received tasks; for workers. @internal */
  readonly tracer: Tracer
  readonly #tasks = new TaskRegistry()
  readonly #configuration: AppConfiguration
  readonly #connections: AppConnections
  readonly #modules: AppModules
  readonly #outgoing: Outgoing
  readonly #results: AppResults
  readonly #closed = new AbortController()
  readonly #root: string
  readonly #notify: (message: string) => void
  readonly #autofinalize: boolean
  #finalized = false
  /** No further task is expected: a worker has started. */
  #complete = false

  constructor(main: string, options: AppOptions = {}) {
    this.main = main
    Object.defineProperty(this, appBrand, { value: true })
    this.#root = options.root ?? process.cwd()
    this.#notify = options.notify ?? ((message) => process.stderr.write(`celery: ${message}\n`))
    this.#autofinalize = options.autofinalize ?? true
    const { backend, broker, include, settings: given = {} } = options
    const named = { brokerUrl: broker, resultBackend: backend, include }
    this.#configuration = new AppConfiguration({ options: [named, given], warn: this.#notify })
    const { conf, settings } = this.#configuration
    this.#connections = new AppConnections({
      configuration: this.#configuration,
      transports: this.transports,
      backends: this.backends,
      root: this.#root,
      notify: this.#notify,
      closed: this.#closed.signal,
    })
    this.#modules = new AppModules(this.#root)
    registerCeleryErrors(this.errors)
    registerDrivers(this.transports, this.backends, this.#root)
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
      signals: this.signals,
      taskLog: this.taskLog,
      backend: () => this.backend(),
      closestTask: (name) => this.closestTask(name),
      keepsResults: () => this.#connections.keepsResults,
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
    if (options.setAsCurrent ?? true) this.setCurrent()
    addApp(this)
    for (const fixup of options.fixups ?? []) this.#apply(fixup)
  }

  /** Settings. */
  get conf(): Configuration {
    return this.#configuration.conf
  }

  /**
   * Tasks declared here, by name. Looking into it finalizes the app.
   * @throws ImproperlyConfiguredError with `autofinalize: false`, until `finalize()`.
   */
  get tasks(): TaskRegistry {
    if (!this.#finalized && !this.#autofinalize) {
      throw new ImproperlyConfiguredError(
        'autofinalize',
        `contract breach: the app "${this.main}" is not finalized; call app.finalize() when all its tasks are declared`,
      )
    }
    this.#finalizeOnce()
    return this.#tasks
  }

  /** Told when the configuration is about to be read, which is when a setting is first used. */
  get onConfigure(): AppConfiguration['onConfigure'] {
    return this.#configuration.onConfigure
  }

  /** Told when the configuration has been read. */
  get onAfterConfigure(): AppConfiguration['onAfterConfigure'] {
    return this.#configuration.onAfterConfigure
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
    options: TaskOptions<Params> & FittingParams<Params, BoundArgs<Run>> & FittingBase<Run> & { readonly bind: true },
  ): Task<BoundArgs<Run>, Awaited<ReturnType<Run>>, KwargsOf<Params, BoundArgs<Run>>>
  task<Run extends AnyFunction, const Params extends readonly string[] = readonly []>(
    name: string,
    fn: Run,
    options?: TaskOptions<Params> & FittingParams<Params, Parameters<Run>> & { readonly bind?: false },
  ): Task<Parameters<Run>, Awaited<ReturnType<Run>>, KwargsOf<Params, Parameters<Run>>>
  task(name: string, fn: (...args: never[]) => unknown, options: TaskOptions = {}): Task<never[], unknown> {
    const registered = new DeclaredTask(name, fn, options, () => this.#configuration.settings.taskAnnotations)
    const callable = createTask(registered, this, this.taskLog) as unknown as AnyTask
    this.#tasks.register(registered, callable)
    if (this.#complete) this.#notify(`the task "${name}" was declared after the worker had started; ${lateTaskAdvice}`)
    return callable
  }

  /**
   * Declares a task that is an object, or a class to make one of: its method `run` is the function, its other members are
   * options and handlers. Without a `name` it is called after its class by `genTaskName`, which needs the module.
   * @param module - the `import.meta.url` of where it stands
   */
  registerTask<Declared extends TaskObject>(
    task: Declared | (new () => Declared),
    module?: string,
  ): Task<Parameters<Declared['run']>, Awaited<ReturnType<Declared['run']>>> {
    const { name, options, run } = declarationOf(task, (given) => this.#nameOf(given, module))
    return this.task(name, run, options) as unknown as Task<never[], never>
  }

  /** Declares a task of all apps, unless this one has a task of that name. @internal */
  shareTask(name: string, fn: (...args: never[]) => unknown, options: TaskOptions): void {
    if (this.#tasks.has(name)) return
    this.task(name, fn, options as TaskOptions<readonly []>)
    this.#tasks.markShared(name)
  }

  /** The name of a task that is given none: `proj.tasks.add` for `add` of the module `proj/tasks.ts`. Yours to override. */
  genTaskName(name: string, module: string): string {
    return taskNameOf(name, module, { root: this.#root, main: this.main })
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
    this.#configuration.read()
    // A call made inside of a task belongs to its workflow.
    const parent = workerTask()
    const publication = this.#outgoing.publication(plan.call, parent?.request)
    await this.#connections.producer.publish(publication)
    const result = this.resultOf(plan.steps)
    parent?.addChild(result.asTuple())
    return result
  }

  /** @internal */
  resultOf(steps: readonly SignatureData[]): AsyncResult {
    return resultLine(steps, ({ task, options }, parent) => {
      const ignored =
        options.ignore_result ??
        this.#tasks.get(task)?.options.ignoreResult ??
        this.#configuration.settings.taskIgnoreResult
      return new AsyncResult(options.task_id as string, this.#results, { parent, ignored })
    })
  }

  /** A fresh task id. */
  newId(): string {
    return randomUUID()
  }

  /** The registered task name that `name` is most likely meant to be. */
  closestTask(name: string): string | undefined {
    return this.#tasks.closest(name)
  }

  /** Says that all tasks are declared: from now on, declaring one is worth a notice. A worker calls it when it starts. */
  finalize(): void {
    this.#configuration.read()
    this.#complete = true
    this.#finalizeOnce()
  }

  /**
   * Takes settings from an object, which is read when a setting is first used, or from a module, which is imported now: await
   * it. They take the place of those that were taken before, and of changes made since those were read.
   */
  configFromObject(source: Readonly<Record<string, unknown>>, options?: ConfigSourceOptions): void
  configFromObject(module: string | URL, options?: ConfigModuleOptions): Promise<void>
  configFromObject(source: object | string, options: ConfigModuleOptions = {}): Promise<void> | undefined {
    const isModule = typeof source === 'string' || source instanceof URL
    if (isModule) return this.#configuration.fromModule(source, options)
    this.#configuration.fromObject(source, options)
    return undefined
  }

  /** As `configFromObject` of the module that an environment variable names. @throws ImproperlyConfiguredError where it is not set. */
  configFromEnvVar(variable: string, options: ConfigModuleOptions = {}): Promise<void> {
    return this.#configuration.fromEnvironment(variable, options)
  }

  /** Loads the settings that `CELERY_CONFIG_MODULE` names, unless the app has some. The command line calls it. */
  async configure(): Promise<void> {
    if (this.#configuration.hasSource) return
    await this.#configuration.fromEnvironment('CELERY_CONFIG_MODULE', {
      silent: process.env.CELERY_CONFIG_MODULE === undefined,
    })
  }

  /** Puts defaults above the built-in ones; a function is asked when a setting is first used. */
  addDefaults(defaults: SettingsInput | (() => SettingsInput)): void {
    this.#configuration.addDefaults(defaults)
  }

  /**
   * Finds modules with tasks when a worker starts, or with `force` now: in folders, installed packages and globs, from the
   * app's root. `['video', 'apps/*']` is `video/tasks.ts`, `apps/mail/tasks.ts` and so on.
   */
  autodiscoverTasks(entries: TaskFolders, options: DiscoverOptions & { readonly force: true }): Promise<void>
  autodiscoverTasks(entries: TaskFolders, options?: DiscoverOptions & { readonly force?: false }): void
  autodiscoverTasks(
    entries: TaskFolders,
    { force = false, relatedName = 'tasks' }: DiscoverOptions & { readonly force?: boolean } = {},
  ): Promise<void> | undefined {
    if (force) return this.#modules.discover(entries, relatedName)
    this.#modules.discoverLater(entries, relatedName)
    return undefined
  }

  /** Imports the modules of the settings `imports` and `include`, those that were discovered, and `more`. A worker calls it. */
  loadModules(more: readonly string[] = []): Promise<void> {
    const { imports, include } = this.conf
    return this.#modules.load([...imports, ...include, ...more])
  }

  /** The result store, opened at the first call. @throws NoBackendError where none is configured; AppClosedError. */
  backend(): Promise<ResultBackend> {
    return this.#connections.backend()
  }

  /** The result store, or `undefined` where results are not kept. */
  async backendIfConfigured(): Promise<ResultBackend | undefined> {
    return this.#connections.keepsResults ? this.backend() : undefined
  }

  /** A new connection to the broker, for consuming. The caller closes it. */
  connectionForRead(options?: AppConnectionOptions): Connection {
    return this.#connections.connect('read', options)
  }

  /** A new connection to the broker, for publishing. The caller closes it. */
  connectionForWrite(options?: AppConnectionOptions): Connection {
    return this.#connections.connect('write', options)
  }

  /** Where messages go, with the password masked. */
  get brokerAddress(): string {
    return this.#connections.brokerAddress
  }

  /** Where results go, with the password masked; `undefined` where they are not kept. */
  get backendAddress(): string | undefined {
    return this.#connections.backendAddress
  }

  /** What to put into a bug report: versions, platform, drivers, and the settings that were made, without secrets. */
  bugreport(): string {
    return bugReport({ conf: this.conf, broker: this.brokerAddress, backend: this.backendAddress })
  }

  /** Makes it the app of `currentApp()`. */
  setCurrent(): void {
    setCurrentApp(this)
  }

  /** Makes it the app of `currentApp()` where no other made itself current. */
  setDefault(): void {
    setDefaultApp(this)
  }

  /** Runs `body`, and all that it awaits, with this app as `currentApp()`. */
  run<T>(body: () => T): T {
    return runWithApp(this, body)
  }

  /**
   * Closes what was opened, after what is being sent was confirmed. Those who wait for results, and whoever sends or reads
   * after it, get an {@link AppClosedError}. Safe twice.
   */
  async close(): Promise<void> {
    this.#closed.abort(new AppClosedError(this.main))
    removeApp(this)
    await this.#connections.idle()
    await this.#results.close()
    await this.#connections.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  toString(): string {
    return `<Celery ${this.main}>`
  }

  #finalizeOnce(): void {
    if (this.#finalized) return
    this.#finalized = true
    this.onAfterFinalize.happen({ app: this })
  }

  #nameOf(name: string, module: string | undefined): string {
    if (module !== undefined && name !== '') return this.genTaskName(name, module)
    throw new ImproperlyConfiguredError(
      'name',
      `a task needs a name: give it a property name, or a class with a name and the module: registerTask(task, import.meta.url)`,
    )
  }

  #apply(fixup: (app: CeleryApp) => void): void {
    try {
      fixup(this)
    } catch (error) {
      this.#notify(`the fix-up ${fixup.name} failed: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
}
