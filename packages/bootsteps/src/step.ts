/** What a running step may use of the blueprint that started it. */
export interface StepContext {
  /** Aborts when the blueprint begins to stop, also while this step is still starting: give up waiting then. */
  readonly signal: AbortSignal
  /** Says that this step has broken while running. The blueprint stops everything, and `closed` rejects. */
  fail(error: unknown): void
}

/**
 * One part of a program that is started and stopped.
 *
 * `Parent` is whatever the steps of one blueprint share, for example the worker; steps that need nothing ignore it.
 */
export interface Step<Parent = undefined> {
  /** Unique in its blueprint. */
  readonly name: string
  /** Names of the steps that must run before this one and that stop after it. A disabled one counts as met. */
  readonly requires?: readonly string[] | undefined
  /** Starts after every step that is not `last`, as if it required them all. @defaultValue `false` */
  readonly last?: boolean | undefined
  /** Milliseconds that stopping may take; overrides the blueprint's. */
  readonly stopTimeoutMs?: number | undefined
  /** Whether to include the step; asked once, when the blueprint starts. @defaultValue `true` */
  readonly enabled?: boolean | ((parent: Parent) => boolean) | undefined
  /**
   * Builds what other steps look for in `parent`. Called for every step in order before any is started. There is no
   * counterpart that undoes it, so open nothing here.
   */
  create?(parent: Parent): void | Promise<void>
  /** Resolves when the step runs. If it rejects, the step is not stopped: it must leave nothing behind. */
  start(parent: Parent, context: StepContext): void | Promise<void>
  /** Ends what `start` began, in order. Called at most once, and only after `start` has resolved. */
  stop(parent: Parent): void | Promise<void>
  /**
   * Ends it at once and at any price. Called in place of `stop` by `Blueprint.terminate()`, and after a `stop` that
   * failed or took too long. It may be called while `start` or `stop` still runs; that one need not settle any more.
   */
  terminate?(parent: Parent): void | Promise<void>
}
