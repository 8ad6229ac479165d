import type {
  AnyArgs,
  ApplyOptions,
  CallOptions,
  CallRetryPolicy,
  GivenArgs,
  MissingArgs,
  PlannedCall,
  Signature,
} from '@celery/canvas'
import type { Connection, Exchange, Producer, Queue } from '@celery/messaging'
import type { AsyncResult, EagerResult } from '@celery/results'
import type { Parameters } from './arguments.ts'
import type { RequestHandlers } from './request-handlers.ts'
import type { RetryOptions } from './retry-options.ts'
import type { ArgumentsSchema } from './standard-schema.ts'
import type { TaskContext } from './task-context.ts'
import type { AnyFunction, ArgsOf, BoundArgs, BoundFunction } from './task-function.ts'
import type { TaskHandlers } from './task-handlers.ts'

/**
 * A number per second, or `'10/s'`, `'10/m'`, `'10/h'`. Editors suggest these; any text is taken, as it may come from the
 * environment, and refused where the task or the setting is read if it is no rate.
 */
export type RateLimit = number | '10/s' | '10/m' | '10/h' | (string & {})

/** An error class, or a function that recognises errors. */
export type ErrorMatch = (abstract new (...args: never[]) => Error) | ((error: unknown) => boolean)

/** What a base and an annotation may set, besides what a task is declared with. */
export interface TaskDefaults extends TaskHandlers {
  /** Stores no state and no result. @defaultValue `taskIgnoreResult` */
  readonly ignoreResult?: boolean
  /** Stores errors although results are ignored. @defaultValue `taskStoreErrorsEvenIfIgnored` */
  readonly storeErrorsEvenIfIgnored?: boolean
  /** Acknowledges after the task ran instead of just before. @defaultValue `taskAcksLate` */
  readonly acksLate?: boolean
  /** With late acks: acknowledges also what failed or timed out; else it is dead-lettered. @defaultValue `taskAcksOnFailureOrTimeout` */
  readonly acksOnFailureOrTimeout?: boolean
  /**
   * With late acks: acknowledges also what failed; else it is dead-lettered. @defaultValue `acksOnFailureOrTimeout`,
   * then `taskAcksOnFailure`
   */
  readonly acksOnFailure?: boolean
  /**
   * With late acks: acknowledges also what timed out; else it is put back, `maxRedeliveries` times. @defaultValue
   * `acksOnFailureOrTimeout`, then `taskAcksOnTimeout`
   */
  readonly acksOnTimeout?: boolean
  /** With late acks: puts the message back when the process that ran it died. @defaultValue `taskRejectOnWorkerLost` */
  readonly rejectOnWorkerLost?: boolean
  /** Stores STARTED when it starts. @defaultValue `taskTrackStarted` */
  readonly trackStarted?: boolean
  /** Hard limit in seconds. @defaultValue `taskTimeLimit` */
  readonly timeLimit?: number
  /** Soft limit in seconds, at most `timeLimit`. @defaultValue `taskSoftTimeLimit` */
  readonly softTimeLimit?: number
  /** Queue that its calls go to, by name or as one. @defaultValue `taskRoutes`, then `taskDefaultQueue` */
  readonly queue?: string | Queue
  /** Exchange that its calls go through. */
  readonly exchange?: string
  /** Makes `exchange` as one of this type, if it is not there. */
  readonly exchangeType?: Exchange['type']
  /** By which a `topic` or `direct` exchange chooses the queue. @defaultValue that of the queue */
  readonly routingKey?: string
  /** 2: its calls survive a restart of the broker; 1: they do not. @defaultValue `taskDefaultDeliveryMode` */
  readonly deliveryMode?: 1 | 2
  /** Whether it is an error that no queue takes a call. @defaultValue `true` */
  readonly mandatory?: boolean
  /** 0 to 255; a broker with fewer levels takes what is above its last one for that. @defaultValue `taskDefaultPriority` */
  readonly priority?: number
  /** How its calls are encoded. @defaultValue `taskSerializer` */
  readonly serializer?: string
  /** How its calls are compressed. @defaultValue `taskCompression` */
  readonly compression?: string
  /** Stores its results also where it is run eagerly. @defaultValue `taskStoreEagerResult` */
  readonly storeEagerResult?: boolean
  /** The name of a call in logs and monitors, where the call has none; `options` are those of the call, as on the wire. */
  shadowName?(
    args: readonly unknown[],
    kwargs: Readonly<Record<string, unknown>>,
    options: Readonly<Record<string, unknown>>,
  ): string | undefined
  /** Seconds after sending at which a call is no longer worth running. @defaultValue never */
  readonly expires?: number
  /** Starts at most so often in each worker: a number per second, or `'10/s'`, `'10/m'`, `'10/h'`. @defaultValue `taskDefaultRateLimit` */
  readonly rateLimit?: RateLimit | null
  /** How often it may be retried; `null` for ever. @defaultValue `3` */
  readonly maxRetries?: number | null
  /** Seconds until a retry that does not say when. @defaultValue `180` */
  readonly defaultRetryDelay?: number
  /** Errors after which it is retried by itself. @defaultValue none */
  readonly autoretryFor?: readonly ErrorMatch[]
  /** Those of `autoretryFor` after which it fails at once. @defaultValue none */
  readonly dontAutoretryFor?: readonly ErrorMatch[]
  /**
   * With `autoretryFor`: waits 1, 2, 4, 8 … seconds, or so many times a number. As in Celery that is a whole one: below 1
   * it counts as 1, and fractions are cut off. @defaultValue `false`: `defaultRetryDelay`
   */
  readonly retryBackoff?: boolean | number
  /** Seconds that `retryBackoff` does not exceed. @defaultValue `600` */
  readonly retryBackoffMax?: number
  /** With `retryBackoff`: waits a random time up to the computed one. @defaultValue `true` */
  readonly retryJitter?: boolean
  /** With `autoretryFor`: further options of the retry; `retryBackoff` wins over a `countdown` in it. @defaultValue none */
  readonly retryKwargs?: RetryOptions
  /** Errors that are part of its work: it fails, but the log says so at level info and without a traceback. @defaultValue none */
  readonly throws?: readonly ErrorMatch[]
  /** Characters of its result in logs and events. @defaultValue `1024` */
  readonly resultreprMaxsize?: number
  /** Checks the number and the names of arguments where it is sent; where it runs they are checked in any case. @defaultValue `true` */
  readonly typing?: boolean
  /** Keeps what it sends while it runs, its callbacks and the next step of its chain as the children of its result. @defaultValue `true` */
  readonly trail?: boolean
  /** What the main process of a worker calls when it times out or fails there, as Celery's `Request`. @defaultValue nothing */
  readonly request?: RequestHandlers
}

/**
 * What tasks have in common, as Celery's base classes: a class that extends it sets options as fields and handlers as methods.
 * One instance is made for each task and process, so that it can keep what is costly to make; bound tasks find it as
 * `context.base`.
 */
export const TaskBase: abstract new () => TaskBase = class {}
export interface TaskBase extends TaskDefaults {}

/**
 * Options of plug-ins, which tasks may have besides those of Celery: `declare module '@celery/app' { interface TaskExtras {
 * owner?: string } }`. At run time any name passes that is not nearly one of ours.
 */
// biome-ignore lint/suspicious/noEmptyInterface: others add to it
export interface TaskExtras {}

/** What a task is declared with; anything not set here comes from its base, then from the settings. */
export interface TaskOptions<Params extends readonly string[] = readonly string[]> extends TaskDefaults, TaskExtras {
  /**
   * Names of the parameters, with `?` after each that may be left out: `['name', 'greeting?']`. Keyword arguments bind to
   * them, typed, from any language, and calls with too few arguments are refused. @defaultValue none: keyword arguments
   * are refused, and only the compiler knows how many arguments are enough
   */
  readonly params?: Params
  /** Options and handlers that are not set here: an object, or a class without parameters. @defaultValue none */
  readonly base?: TaskBase | (new () => TaskBase)
}

export interface WithSchema<Schema extends ArgumentsSchema> {
  /**
   * A schema of the list of its arguments, by any library with Standard Schema: `z.tuple([z.number(), z.string()])`. They are
   * checked where they are sent and where they are run; the function gets what the schema makes of them.
   */
  readonly args: Schema
}

/** The options of a task as they were given, with those that are typed where they are declared. @internal */
export interface GivenTaskOptions extends TaskOptions {
  readonly bind?: boolean
  readonly args?: ArgumentsSchema
}

/** The function of a task, for an annotation to wrap. */
export type TaskFunction = (context: TaskContext, ...args: readonly unknown[]) => unknown

/** Puts functions around handlers and `shadowName`; around one that does nothing, where the task has none. */
type AroundMethods = {
  readonly [Name in keyof TaskHandlers | 'shadowName' as `@${Name}`]?: (
    method: NonNullable<TaskDefaults[Name]>,
  ) => NonNullable<TaskDefaults[Name]>
}

/** What `taskAnnotations` changes of a task; it wins over what the task is declared with. */
export interface TaskAnnotation extends TaskDefaults, AroundMethods {
  /** Puts a function around the task's own, as Celery's `@__call__`. */
  readonly '@run'?: (run: TaskFunction) => TaskFunction
  readonly [extra: string]: unknown
}

/** By name; `'*'` holds for all tasks, and what is said of one by name wins over it. Or a function that is asked for each task. */
export type AnnotationSource =
  | Readonly<Record<string, TaskAnnotation>>
  | ((name: string, options: TaskOptions) => TaskAnnotation | undefined)

/** One or several, of which the last wins. */
export type TaskAnnotations = AnnotationSource | readonly AnnotationSource[]

/** How a call is sent now: what a signature may say, and what is no data. */
export interface SendOptions extends Omit<CallOptions, 'queue' | 'retryPolicy'> {
  /**
   * Queue that it goes to, by name or as one: its exchange and routing key come with it. @defaultValue the task's, then
   * `taskRoutes`, then `taskDefaultQueue`
   */
  readonly queue?: string | Queue | undefined
  /** How often and when to try again; what it leaves out is as in `taskPublishRetryPolicy`. */
  readonly retryPolicy?: SendRetryPolicy | undefined
  /** Made before it is sent, if they are not there. @defaultValue the queue that it goes to */
  readonly declare?: readonly (Exchange | Queue)[] | undefined
  /** Is sent over, instead of the app's own; whoever opened it closes it. */
  readonly connection?: Connection | undefined
  /** Sends it, instead of the app's own. */
  readonly producer?: Producer | undefined
  /** The task at the beginning of the workflow. @defaultValue that of the running task, or the call itself */
  readonly rootId?: string | undefined
  /** The task that sends it. @defaultValue the running task */
  readonly parentId?: string | undefined
}

export interface SendRetryPolicy extends CallRetryPolicy {
  /** Errors after which it is tried again, besides a lost connection and a busy broker. @defaultValue none */
  readonly retryErrors?: readonly ErrorMatch[] | undefined
}

/** How a call is run here. What says where it is sent is passed over. */
export interface ApplyTaskOptions extends CallOptions, ApplyOptions {
  readonly rootId?: string | undefined
  readonly parentId?: string | undefined
}

/** A task that lives elsewhere: it can be sent and composed, not run here. */
export interface RemoteTask<Args extends AnyArgs, Result, Kwargs = NoKwargs> {
  /** Unique among the tasks of the workers that run it. */
  readonly taskName: string
  /** Sends a call; resolves when the broker has it. */
  delay(...args: Args): Promise<AsyncResult<Result>>
  /** Sends a call with options. */
  applyAsync(args: Args, options?: SendOptions & { readonly kwargs?: KwargsPart<Kwargs> }): Promise<AsyncResult<Result>>
  applyAsync<Given extends Partial<Args>>(
    args: Given,
    options: SendOptions & { readonly kwargs: KwargsBeside<Given, Kwargs> },
  ): Promise<AsyncResult<Result>>
  /** A call to be sent later or composed with others. What is not given comes from the step before, in front. */
  s<const Given extends GivenArgs<Args>>(...args: Given): Signature<MissingArgs<Args, Given>, Result>
  /** A complete call that takes nothing from the step before. */
  si(...args: Args): Signature<[], Result, true>
}

/** A task declared in this process. Called like the function it was made of, it runs here, and returns what that returns. */
export interface Task<Args extends AnyArgs, Result, Kwargs = NoKwargs, Returned = Result | Promise<Result>>
  extends RemoteTask<Args, Result, Kwargs> {
  (...args: Args): Returned
  readonly options: TaskOptions
  /**
   * Runs a call, and what follows from it, here and now; nothing is sent. Arguments and results are as a worker has them,
   * times are passed over, retries come at once, and limits do not hold.
   * @throws the task's error with `throw`, or `taskEagerPropagates`
   */
  apply(args: Args, options?: ApplyTaskOptions & { readonly kwargs?: KwargsPart<Kwargs> }): Promise<EagerResult<Result>>
  apply<Given extends Partial<Args>>(
    args: Given,
    options: ApplyTaskOptions & { readonly kwargs: KwargsBeside<Given, Kwargs> },
  ): Promise<EagerResult<Result>>
}

/** Of a task without `params`. An interface, because editors show those by name. */
export interface NoKwargs {
  readonly [name: string]: never
}

/**
 * `['x', 'y?']` and `[number, string?]` → `{ x: number, y?: string }`; without names, none are taken. Of a list that is made
 * at run time nothing is known.
 */
export type KwargsOf<Params extends readonly string[], Args extends AnyArgs> = Params extends readonly []
  ? NoKwargs
  : number extends Params['length']
    ? Readonly<Record<string, unknown>>
    : // Made one by `infer`, which has no name that messages and editors would show instead.
      RequiredKwargs<Params, Args> & OptionalKwargs<Params, Args> extends infer Kwargs
      ? { readonly [Name in keyof Kwargs]: Kwargs[Name] }
      : never

type RequiredKwargs<Params extends readonly string[], Args extends AnyArgs> = {
  readonly [Place in PlaceIn<Params> as RequiredName<Params[Place]>]: ArgumentAt<Args, Place>
}

type OptionalKwargs<Params extends readonly string[], Args extends AnyArgs> = {
  readonly [Place in PlaceIn<Params> as OptionalName<Params[Place]>]?: ArgumentAt<Args, Place>
}

type PlaceIn<Params extends readonly string[]> = Exclude<keyof Params, keyof (readonly unknown[])>
type ArgumentAt<Args extends AnyArgs, Place> = Place extends keyof Args ? Args[Place] : never
type RequiredName<Param> = Param extends `${string}?` ? never : Param & string
type OptionalName<Param> = Param extends `${infer Name}?` ? Name : never

/** Some of the keyword arguments. */
export type KwargsPart<Kwargs> = [Kwargs] extends [NoKwargs] ? NoKwargs : Partial<Kwargs>

/** Keyword arguments beside positional ones: all that are required where there is none of those. */
export type KwargsBeside<Given extends AnyArgs, Kwargs> = Given extends readonly [] ? Kwargs : KwargsPart<Kwargs>

/**
 * What `params` of a function with these arguments may be: a name for each, with `?` where it may be left out, so that
 * no call is refused that the compiler allows. `[x: number, y?: string]` → `[string, `${string}?`]`
 */
export type ParamNames<Args extends AnyArgs> = Args extends readonly []
  ? readonly []
  : Args extends readonly [unknown, ...infer Rest]
    ? readonly [string, ...ParamNames<Rest>]
    : number extends Args['length']
      ? readonly string[]
      : Args extends readonly [unknown?, ...infer Rest]
        ? readonly [`${string}?`, ...ParamNames<Rest>]
        : readonly string[]

/** Refuses `params` that are not {@link ParamNames}; of a list that is made at run time nothing is known. */
export type FittingParams<Params extends readonly string[], Args extends AnyArgs> = number extends Params['length']
  ? unknown
  : Params extends readonly [] | ParamNames<Args>
    ? unknown
    : { readonly params: 'a name for each parameter, with a question mark where it may be left out' }

/** A bound function that wants `TaskContext<Base>` wants that base in its options. */
export type FittingBase<Run> = Run extends (context: TaskContext<infer Base>, ...args: never[]) => unknown
  ? [Base] extends [never]
    ? unknown
    : unknown extends Base
      ? unknown
      : { readonly base: Base | (new () => Base) }
  : unknown

/** What the options of a task must have besides, bound or not. It says what is wrong under a name of its own: `bind` must stay `true`. */
export type Fitting<
  Run extends AnyFunction,
  Params extends readonly string[],
  Bind extends boolean,
> = boolean extends Bind
  ? { readonly function: 'is bound or not: bind must be true or false itself' }
  : Bind extends true
    ? Run extends BoundFunction
      ? FittingParams<Params, BoundArgs<Run>> & FittingBase<Run>
      : { readonly function: 'of a bound task takes the context first' }
    : FittingParams<Params, ArgsOf<Run, false>>

/** A task as the worker and the tracer see it. */
export interface RegisteredTask {
  readonly name: string
  readonly options: TaskOptions
  readonly parameters: Parameters
  /** Runs the function with its context, after its schema has seen the arguments. */
  readonly run: (context: TaskContext, args: readonly unknown[]) => unknown
  /** Checks the arguments by its schema. @throws TaskArgumentsError; `undefined` without one */
  readonly validate: ((args: readonly unknown[]) => AnyArgs | PromiseLike<AnyArgs>) | undefined
  /** What `shadowName` says of a call. */
  readonly shadowName?: (call: PlannedCall) => string | undefined
  /** Positional parameters the function declares, for the choice between the two forms of an error callback. */
  readonly arity: number
  /** Of its options, its base and its annotations; `undefined` where there are none. */
  readonly handlers: TaskHandlers | undefined
  /** Made of `options.base`. */
  readonly base: unknown
}
