import type { AnyArgs, CallOptions, GivenArgs, MissingArgs, Signature } from '@celery/canvas'
import type { AsyncResult } from '@celery/results'
import type { Parameters } from './arguments.ts'
import type { TaskContext } from './task-context.ts'

/** What a task is declared with; anything not set here comes from the settings. */
export interface TaskOptions<Params extends readonly string[] = readonly string[]> {
  /**
   * Names of the parameters, with `?` after each that may be left out: `['name', 'greeting?']`. Keyword arguments bind to
   * them, typed, from any language, and calls with too few arguments are refused. @defaultValue none: keyword arguments
   * are refused, and only the compiler knows how many arguments are enough
   */
  readonly params?: Params
  /** Stores no state and no result. @defaultValue `taskIgnoreResult` */
  readonly ignoreResult?: boolean
  /** Stores errors although results are ignored. @defaultValue `taskStoreErrorsEvenIfIgnored` */
  readonly storeErrorsEvenIfIgnored?: boolean
  /** Acknowledges after the task ran instead of just before. @defaultValue `taskAcksLate` */
  readonly acksLate?: boolean
  /** With late acks: acknowledges also what failed or timed out; else it is dead-lettered. @defaultValue `taskAcksOnFailureOrTimeout` */
  readonly acksOnFailureOrTimeout?: boolean
  /** With late acks: puts the message back when the process that ran it died. @defaultValue `taskRejectOnWorkerLost` */
  readonly rejectOnWorkerLost?: boolean
  /** Stores STARTED when it starts. @defaultValue `taskTrackStarted` */
  readonly trackStarted?: boolean
  /** Hard limit in seconds. @defaultValue `taskTimeLimit` */
  readonly timeLimit?: number
  /** Soft limit in seconds. @defaultValue `taskSoftTimeLimit` */
  readonly softTimeLimit?: number
  /** Queue that its calls go to. @defaultValue `taskRoutes`, then `taskDefaultQueue` */
  readonly queue?: string
  /** 0 to 9. @defaultValue `taskDefaultPriority` */
  readonly priority?: number
  /** How its calls are encoded. @defaultValue `taskSerializer` */
  readonly serializer?: string
  /** Seconds after sending at which a call is no longer worth running. @defaultValue never */
  readonly expires?: number
  /** Further options, for plug-ins. */
  readonly [extra: string]: unknown
}

/** A task that lives elsewhere: it can be sent and composed, not run here. */
export interface RemoteTask<Args extends AnyArgs, Result, Kwargs = NoKwargs> {
  /** Unique among the tasks of the workers that run it. */
  readonly taskName: string
  /** Sends a call; resolves when the broker has it. */
  delay(...args: Args): Promise<AsyncResult<Result>>
  /** Sends a call with options. */
  applyAsync(args: Args, options?: CallOptions & { readonly kwargs?: Kwargs }): Promise<AsyncResult<Result>>
  applyAsync(args: Partial<Args>, options: CallOptions & { readonly kwargs: Kwargs }): Promise<AsyncResult<Result>>
  /** A call to be sent later or composed with others. What is not given comes from the step before, in front. */
  s<const Given extends GivenArgs<Args>>(...args: Given): Signature<MissingArgs<Args, Given>, Result>
  /** A complete call that takes nothing from the step before. */
  si(...args: Args): Signature<[], Result, true>
}

/** A task declared in this process. Called like the function it was made of, it runs here. */
export interface Task<Args extends AnyArgs, Result, Kwargs = NoKwargs> extends RemoteTask<Args, Result, Kwargs> {
  (...args: Args): Result | Promise<Result>
  readonly options: TaskOptions
}

/** Of a task without `params`. */
export type NoKwargs = Readonly<Record<string, never>>

/** `['x', 'y?']` and `[number, string?]` → `{ x?: number, y?: string }`; without names, none are taken. */
export type KwargsOf<Params extends readonly string[], Args extends AnyArgs> = Params extends readonly []
  ? NoKwargs
  : {
      readonly [Index in Exclude<keyof Params, keyof (readonly unknown[])> as NameOf<
        Params[Index] & string
      >]?: Index extends keyof Args ? Args[Index] : never
    }

type NameOf<Param extends string> = Param extends `${infer Name}?` ? Name : Param

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

/** A task as the worker and the tracer see it. */
export interface RegisteredTask {
  readonly name: string
  readonly options: TaskOptions
  readonly parameters: Parameters
  /** Runs the function with its context. */
  readonly run: (context: TaskContext, args: readonly unknown[]) => unknown
  /** Positional parameters the function declares, for the choice between the two forms of an error callback. */
  readonly arity: number
}
