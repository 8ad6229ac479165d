/** The symbol under which the main thread is asked for it. */
export const runningTaskKey = '@celery/worker running task'

/** Milliseconds for which an answer is waited for. Code of JavaScript gives it at once, whatever it does. */
const answerMs = 500

/** The task that runs on the main thread, `''` where it is none; `undefined` where it cannot be asked: in native code. */
export async function findRunningTask(): Promise<string | undefined> {
  try {
    // Not everybody's Node has it, and not every worker is ever blocked.
    const { Session } = await import('node:inspector')
    const session = new Session()
    session.connectToMainThread()
    return await new Promise<string | undefined>((resolve) => {
      const timer = setTimeout(() => resolve(undefined), answerMs)
      const expression = `globalThis[Symbol.for(${JSON.stringify(runningTaskKey)})]()`
      session.post('Runtime.evaluate', { expression, returnByValue: true }, (error, answer) => {
        clearTimeout(timer)
        const value: unknown = error === null ? answer.result.value : undefined
        resolve(typeof value === 'string' ? value : undefined)
      })
    }).finally(() => session.disconnect())
  } catch {
    return undefined
  }
}
