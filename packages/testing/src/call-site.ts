/** Where a wait began. The error of its deadline is made in a timer, whose own stack says nothing to who reads it. */
export class CallSite {
  readonly #frames: string

  /** @param caller - its frame and those above are left out */
  constructor(caller: (...args: never[]) => unknown) {
    const trace = { stack: '' }
    Error.captureStackTrace(trace, caller)
    this.#frames = trace.stack.slice(trace.stack.indexOf('\n'))
  }

  /** Gives it the frames of the wait. */
  of<Failure extends Error>(error: Failure): Failure {
    error.stack = `${error.name}: ${error.message}${this.#frames}`
    return error
  }
}
