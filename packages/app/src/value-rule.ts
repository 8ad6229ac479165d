/** What a value that somebody gave must be. */
export interface ValueRule {
  /** Completes "must be …". */
  readonly expected: string
  test(value: unknown): boolean
}
