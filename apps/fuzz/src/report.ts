/** What a run found. */
export interface Report {
  /** Spoiled inputs that were tried. */
  readonly cases: number
  /** Processes that ended, and should not have. */
  readonly exits: number
  /** Errors and rejections that nobody handled. */
  readonly unhandled: number
  /** Decodes and good tasks that took too long. */
  readonly slow: number
  /** Everything that is wrong, one line each; none where all is well. */
  readonly reasons: readonly string[]
  /** Lines for people. */
  readonly remarks: readonly string[]
}

/** The last line of a run, for programs. */
export function summaryLine({ cases, exits, slow, unhandled }: Report): string {
  return `cases=${cases} exits=${exits} unhandled=${unhandled} slow=${slow}`
}

export function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`
}

/** Text that may hold anything, in one short line. */
export function oneLine(text: string): string {
  return JSON.stringify(text.length > 500 ? `${text.slice(0, 500)}…` : text).slice(1, -1)
}
