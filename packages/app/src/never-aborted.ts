/** For what takes a signal where there is nothing to stop it. */
export const neverAborted: AbortSignal = new AbortController().signal
