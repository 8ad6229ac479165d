import { randomUUID } from 'node:crypto'
import { inspect } from 'node:util'
import { BackendRegistry, type OpenBackendOptions, type ResultBackend } from '@celery/backend'
import {
  type AnyArgs,
  type ApplyOptions,
  type CallOptions,
  type CallPlan,
  type Dispatcher,
  resultLine,
  type Signature,
  signature,
} from '@celery/canvas'
import { type Connection, TransportRegistry } from '@celery/messaging'
import type { Clock } from '@celery/promises'
import { ErrorRegistry, type SignatureData } from '@celery/protocol'
import { AsyncResult, type EagerResult } from '@celery/results'
import { CompressionRegistry, SerializerRegistry } from '@celery/serialization'
import { appBrand, isBranded } from './app-brand.ts'
import { AppCodecs } from './app-codecs.ts'
import { AppConfiguration, type ConfigModuleOptions, type ConfigSourceOptions } from './app-configuration.ts'
import type { AppConnectionOptions } from './app-connections.ts'
import { AppEvent } from './app-event.ts'
import { AppModules, type DiscoverOptions, type TaskFolders } from './app-modules.ts'
import type { AppOptions } from './app-options.ts'
import { AppSignals } from './app-signals.ts'
import { AppSurroundings } from './app-surroundings.ts'
import { bugReport } from './bug-report.ts'
import { AppClosedError } from './call-errors.ts'
import type { Configuration, SettingsInput } from './configuration.ts'
import { createRemoteTask, createTask, planOf } from './create-task.ts'
import { DeadLetters } from './dead-letters.ts'
import { DeclaredTask } from './declared-task.ts'
import type { Delivery } from './delivery.ts'
import { registerDrivers } from './driver-packages.ts'
import { EagerRuns } from './eager-runs.ts'
import { MessageReader } from './message-reader.ts'
import { Outgoing } from './outgoing.ts'
import { addApp, removeApp, runWithApp, setCurrentApp, setDefaultApp } from './process-apps.ts'
import { RecordCodec } from './record-codec.ts'
import { Router } from './router.ts'
import { Sender } from './sender.ts'
import { ImproperlyConfiguredError } from './setup-errors.ts'
import type { ArgumentsSchema, InputOf, OutputOf } from './standard-schema.ts'
import { registerCeleryErrors } from './stored-errors.ts'
import type { Surroundings } from './surroundings.ts'
import type {
  Fitting,
  FittingBase,
  FittingParams,
  GivenTaskOptions,
  KwargsOf,
  NoKwargs,
  RegisteredTask,
  RemoteTask,
  SendOptions,
  Task,
  TaskOptions,
  WithSchema,
} from './task.ts'
import type { TaskContext } from './task-context.ts'
import type { AnyFunction, ArgsOf, BoundArgs, BoundFunction, Checked, UnboundFunction } from './task-function.ts'
import { TaskLog } from './task-logger.ts'
import { taskNameOf } from './task-name.ts'
import { declarationOf, type TaskObject } from './task-object.ts'
import { assertAppOptionNames, assertDeclaration } from './task-option-names.ts'
import { TaskQueues } from './task-queues.ts'
import { type AnyTask, TaskRegistry } from './task-registry.ts'
import { Tracer } from './tracer.ts'
import { writeToStderr } from './write-to-stderr.ts'

const lateTaskAdvice =
  'calls of it that came before were refused. A worker with the pool async or solo takes it from now on, processes and ' +
  'threads of other pools do not know it: declare it before, in a module that include names for example'

/**
 * A Celery application: declares tasks, sends them, reads their results. Everything it opens is opened when first
 * used and closed by `close()`, for good; until then open connections keep a program from ending.
 */
export class CeleryApp implements Dispatcher, AsyncDisposable {
  static {
    // Printed with all that is in it, it would fill the screen.
    Object.defineProperty(CeleryApp.prototype, inspect.custom, { value: CeleryApp.prototype.toString })
  }

  /** Name of the app, for people. */
  readonly main: string
  /** Broker drivers by URL scheme. */
  readonly transports: TransportRegistry = new TransportRegistry()
  /** Result store drivers by URL scheme. */
  readonly backends: BackendRegistry = new BackendRegistry()
  /** Formats of message bodies and results, by name. */
  readonly serializers: SerializerRegistry
  /** Compressions of message bodies and results, by name. */
  readonly compressions: CompressionRegistry = new CompressionRegistry()
  /** Brings formats into memory; for workers. @internal */
  readonly codecs: AppCodecs
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
  /** Reads received messages; for workers. @internal */
  readonly messages: MessageReader
  /** Runs received tasks; for workers. @internal */
  readonly tracer: Tracer
  readonly #tasks = new TaskRegistry()
  readonly #configuration: AppConfiguration
  readonly #modules: AppModules
  readonly #queues: TaskQueues
  readonly #router: Router
  readonly #sender: Sender
  readonly #surroundings: AppSurroundings
  readonly #closed = new AbortController()
  readonly #root: string
  readonly #notify: (message: string) => void
  readonly #autofinalize: boolean
  #finalized = false
  #toldEager = false
  /** No further task is expected: a worker has started. */
  #complete = false

  constructor(main: string, options: AppOptions = {}) {
    assertAppOptionNames(options)
    this.main = main
    Object.defineProperty(this, appBrand, { value: true })
    this.#root = options.root ?? process.cwd()
    this.#notify = options.notify ?? ((message) => writeToStderr(`celery: ${message}\n`))
    this.#autofinalize = options.autofinalize ?? true
    const { backend, broker, include, settings: given = {} } = options
    const named = { brokerUrl: broker, resultBackend: backend, include }
    this.#configuration = new AppConfiguration({ options: [named, given], warn: this.#notify })
    const { settings } = this.#configuration
    this.#modules = new AppModules(this.#root)
    this.serializers = new SerializerRegistry({ fleetVersion: () => settings.fleetVersion })
    registerCeleryErrors(this.errors)
    registerDrivers(this.transports, this.backends, this.#root)
    const { backends, compressions, errors, serializers, signals, taskLog, transports } = this
    this.codecs = new AppCodecs({ settings, serializers, compressions })
    this.messages = new MessageReader({ settings, codecs: this.codecs })
    const records = new RecordCodec({ settings, serializers, compressions, errors })
    this.#surroundings = new AppSurroundings({
      main,
      configuration: this.#configuration,
      transports,
      backends,
      errors,
      records,
      root: this.#root,
      notify: this.#notify,
      closed: this.#closed.signal,
    })
    this.#queues = new TaskQueues(settings)
    this.#router = new Router(settings, this.#queues)
    const task = (name: string): RegisteredTask | undefined => this.#tasks.get(name)
    const closestTask = (name: string): string | undefined => this.closestTask(name)
    const now = (): number => this.clock.now()
    const { codecs, messages } = this
    const outgoing = new Outgoing({
      settings,
      router: this.#router,
      serializers,
      compressions,
      codecs,
      signals,
      task,
      now,
    })
    this.tracer = new Tracer({
      settings,
      task,
      closestTask,
      messages,
      outgoing,
      records,
      serializers,
      compressions,
      signals,
      taskLog,
      now,
      backend: () => this.backend(),
      keepsResults: () => this.#surroundings.connections.keepsResults,
    })
    const eager = new EagerRuns({
      settings,
      task,
      closestTask,
      outgoing,
      tracer: this.tracer,
      reader: () => this.#surroundings.results,
      backend: () => this.backendIfConfigured(),
    })
    this.#sender = new Sender({
      settings,
      task,
      outgoing,
      eager,
      signals,
      producer: (connection) => this.#surroundings.connections.producer(connection),
      resultOf: (steps, queue) => this.#resultOf(steps, queue),
    })
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

  /** The queues that are known here: those of `taskQueues`, the default one, and those that were named since. */
  get queues(): TaskQueues {
    this.#configuration.read()
    return this.#queues
  }

  /** Lets a worker of this app consume from these queues only, as `-Q` does. @throws QueueNotFoundError */
  selectQueues(names: readonly string[]): void {
    this.queues.select(names)
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
    return isBranded(value)
  }

  /**
   * Declares a task. The name is what travels: it must be the same in the client and in the worker.
   * With `bind: true` the function gets the task's context as its first argument.
   * Declare tasks before a worker starts: it refuses those that it does not know yet, and its processes only know what the
   * modules they import declare. A task declared later can be sent and, in this process, run; the app says so.
   * With `args`, a schema of any library with Standard Schema, arguments are checked by it on sending and on running: callers
   * give what it takes, and the function gets what it makes of that.
   * @throws AlreadyRegisteredError for another task of the same name; ImproperlyConfiguredError for an option that is likely
   * another one misspelt.
   */
  task<
    Schema extends ArgumentsSchema,
    Run extends (context: TaskContext<never>, ...args: OutputOf<Schema>) => unknown,
    const Params extends readonly string[] = readonly [],
  >(
    name: string,
    fn: Run,
    options: TaskOptions<Params> &
      FittingParams<Params, InputOf<Schema>> &
      FittingBase<Run> &
      WithSchema<Schema> & { readonly bind: true },
  ): Task<InputOf<Schema>, Awaited<ReturnType<Run>>, KwargsOf<Params, InputOf<Schema>>, Checked<ReturnType<Run>>>
  task<
    Schema extends ArgumentsSchema,
    Run extends (...args: OutputOf<Schema>) => unknown,
    const Params extends readonly string[] = readonly [],
  >(
    name: string,
    fn: Run,
    options: TaskOptions<Params> &
      FittingParams<Params, InputOf<Schema>> &
      WithSchema<Schema> & { readonly bind?: false },
  ): Task<InputOf<Schema>, Awaited<ReturnType<Run>>, KwargsOf<Params, InputOf<Schema>>, Checked<ReturnType<Run>>>
  task<Run extends BoundFunction, const Params extends readonly string[] = readonly []>(
    name: string,
    fn: Run,
    options: TaskOptions<Params> & FittingParams<Params, BoundArgs<Run>> & FittingBase<Run> & { readonly bind: true },
  ): Task<BoundArgs<Run>, Awaited<ReturnType<Run>>, KwargsOf<Params, BoundArgs<Run>>, ReturnType<Run>>
  // Names `bind` to those who forgot it: else a context is `never`, of which the compiler says nothing useful.
  task<Run extends UnboundFunction, const Params extends readonly string[] = readonly []>(
    name: string,
    fn: Run,
    options?: TaskOptions<Params> & FittingParams<Params, Parameters<Run>> & { readonly bind?: false },
  ): Task<Parameters<Run>, Awaited<ReturnType<Run>>, KwargsOf<Params, Parameters<Run>>, ReturnType<Run>>
  // Says what is wrong with the options of bound tasks, too: of several signatures the compiler tells why the last does not fit.
  task<
    Run extends AnyFunction,
    const Params extends readonly string[] = readonly [],
    const Bind extends boolean = false,
  >(
    name: string,
    fn: Run,
    options?: TaskOptions<Params> & { readonly bind?: Bind } & Fitting<Run, Params, Bind>,
  ): Task<ArgsOf<Run, Bind>, Awaited<ReturnType<Run>>, KwargsOf<Params, ArgsOf<Run, Bind>>, ReturnType<Run>>
  task(name: string, fn: (...args: never[]) => unknown, options: GivenTaskOptions = {}): AnyTask {
    assertDeclaration(name, fn)
    const registered = new DeclaredTask(name, fn, options, () => this.#configuration.settings.taskAnnotations)
    const callable = createTask(registered, this, this.taskLog)
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
  ): Task<Parameters<Declared['run']>, Awaited<ReturnType<Declared['run']>>, NoKwargs, ReturnType<Declared['run']>> {
    const { name, options, run } = declarationOf(task, (given) => this.#nameOf(given, module))
    return this.task(name, run, options) as never
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

  /**
   * Sends a task by its name, also where tasks are run eagerly. Its arguments are not checked; where it is declared here, its
   * options hold.
   */
  async sendTask<Result = unknown>(
    name: string,
    args: AnyArgs = [],
    options: SendOptions & { readonly kwargs?: Readonly<Record<string, unknown>> } = {},
  ): Promise<AsyncResult<Result>> {
    this.#open()
    if (this.#configuration.settings.taskAlwaysEager && !this.#toldEager) {
      this.#toldEager = true
      this.#notify(`sendTask() sends, although taskAlwaysEager is set; tasks that are declared here are run by delay()`)
    }
    const { delivery, plan } = planOf(name, args, options, this)
    return (await this.#sender.sendUnchecked(plan, delivery)) as AsyncResult<Result>
  }

  /** A signature by name, sent from this app. */
  signature<Result = unknown>(task: string, args: AnyArgs = [], options: CallOptions = {}): Signature<AnyArgs, Result> {
    return signature<Result>(task, args, { ...options, dispatcher: this })
  }

  /** A handle on the result of any task. */
  asyncResult<Result = unknown>(id: string): AsyncResult<Result> {
    // An id that was lost on the way here would be waited for in vain.
    if (typeof id !== 'string' || id === '')
      throw new TypeError(`asyncResult() takes the id of a task, not ${inspect(id)}`)
    return new AsyncResult<Result>(id, this.#surroundings.results)
  }

  /** Sends a planned call, or runs it where tasks are run eagerly. @throws AppClosedError @internal */
  async send(plan: CallPlan, delivery?: Delivery): Promise<AsyncResult> {
    this.#open()
    return await this.#sender.send(plan, delivery)
  }

  /** Runs a planned call here and now. @throws AppClosedError @internal */
  async apply(plan: CallPlan, options?: ApplyOptions): Promise<EagerResult> {
    this.#open()
    return this.#sender.apply(plan, options)
  }

  /** @internal */
  resultOf(steps: readonly SignatureData[]): AsyncResult {
    return this.#resultOf(steps, undefined)
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
  async loadModules(more: readonly string[] = []): Promise<void> {
    const { imports, include } = this.conf
    await this.#modules.load([...imports, ...include, ...more])
    await this.#router.load()
  }

  /** The result store, opened at the first call. @throws NoBackendError where none is configured; AppClosedError. */
  backend(options?: Pick<OpenBackendOptions, 'once'>): Promise<ResultBackend> {
    return this.#surroundings.connections.backend(options)
  }

  /** The result store, or `undefined` where results are not kept. */
  async backendIfConfigured(options?: Pick<OpenBackendOptions, 'once'>): Promise<ResultBackend | undefined> {
    return this.#surroundings.connections.keepsResults ? this.backend(options) : undefined
  }

  /** A new connection to the broker, for consuming. The caller closes it. */
  connectionForRead(options?: AppConnectionOptions): Connection {
    return this.#surroundings.connections.connect('read', options)
  }

  /** A new connection to the broker, for publishing. The caller closes it. */
  connectionForWrite(options?: AppConnectionOptions): Connection {
    return this.#surroundings.connections.connect('write', options)
  }

  /** What no worker could deal with, of one queue: to look at, to send again, to delete. @param queue - Default: `taskDefaultQueue` */
  deadLetters(queue: string = this.conf.taskDefaultQueue): DeadLetters {
    return new DeadLetters(queue, () => this.connectionForRead())
  }

  /** Where messages go, with the password masked. */
  get brokerAddress(): string {
    return this.#surroundings.connections.brokerAddress
  }

  /** Where results go, with the password masked; `undefined` where they are not kept. */
  get backendAddress(): string | undefined {
    return this.#surroundings.connections.backendAddress
  }

  /** What to put into a bug report: versions, platform, drivers, and the settings that were made, without secrets. */
  bugreport(): string {
    return bugReport({ conf: this.conf, broker: this.brokerAddress, backend: this.backendAddress })
  }

  /** Whose time says when a call is due and when it expires. @internal */
  get clock(): Clock {
    return this.#surroundings.clock
  }

  /**
   * Puts other surroundings in the place of the app's own, for a test. Disposing what is returned closes what was opened in
   * them and brings back the app's own, with the settings as they were.
   * @throws ImproperlyConfiguredError where others are in that place already. @internal
   */
  substitute(surroundings: Surroundings): AsyncDisposable {
    return this.#surroundings.substitute(surroundings)
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
    await this.#surroundings.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  toString(): string {
    return `<Celery ${this.main}>`
  }

  /** @throws AppClosedError */
  #open(): void {
    this.#closed.signal.throwIfAborted()
    this.#configuration.read()
  }

  /** `queue` is that of the first of the steps. */
  #resultOf(steps: readonly SignatureData[], queue: string | undefined): AsyncResult {
    return resultLine(steps, ({ task, options }, parent) => {
      const ignored =
        options.ignore_result ??
        this.#tasks.get(task)?.options.ignoreResult ??
        this.#configuration.settings.taskIgnoreResult
      const sent = parent === undefined && queue !== undefined ? { task, queue } : { task }
      return new AsyncResult(options.task_id as string, this.#surroundings.results, { parent, ignored, sent })
    })
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
