/** When and how a task runs again. */
export interface RetryOptions {
  /** Seconds until the next run. @defaultValue the task's `defaultRetryDelay` */
  readonly countdown?: number | undefined
  /** The moment of the next run; text is ISO 8601. It wins over `countdown`. */
  readonly eta?: Date | string | undefined
  /** How often it may be retried altogether; `null` for ever. @defaultValue the task's `maxRetries` */
  readonly maxRetries?: number | null | undefined
  /** Why: told with the state RETRY, and thrown instead of MaxRetriesExceededError when there are no retries left. */
  readonly exc?: unknown
  /** Positional arguments of the next run. @defaultValue those of this one */
  readonly args?: readonly unknown[] | undefined
  /** @defaultValue those of this run */
  readonly kwargs?: Readonly<Record<string, unknown>> | undefined
  /** @defaultValue the queue it came from */
  readonly queue?: string | undefined
  /** @defaultValue that of the message */
  readonly priority?: number | undefined
  /** Seconds from now, or a moment, after which it is not worth running. @defaultValue as it was sent */
  readonly expires?: number | Date | string | undefined
  /** Seconds. @defaultValue as it was sent */
  readonly timeLimit?: number | undefined
  /** Seconds. @defaultValue as it was sent */
  readonly softTimeLimit?: number | undefined
  /** @defaultValue as it was sent */
  readonly ignoreResult?: boolean | undefined
  /** The name in logs and monitors. @defaultValue as it was sent */
  readonly shadow?: string | undefined
}
