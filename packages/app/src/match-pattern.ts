import { type Context, createContext, Script } from 'node:vm'
import { ImproperlyConfiguredError } from './setup-errors.ts'

/** `*` stands for any text. Only the last one ever gives up what it has taken, so that the time grows with the length of the text and no faster. */
export function matchesGlob(pattern: string, text: string): boolean {
  let p = 0
  let t = 0
  let star = -1
  let mark = 0
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = p++
      mark = t
    } else if (p < pattern.length && pattern[p] === text[t]) {
      p++
      t++
    } else if (star !== -1) {
      p = star + 1
      t = ++mark
    } else {
      return false
    }
  }
  while (pattern[p] === '*') p++
  return p === pattern.length
}

/**
 * Whether a task's name begins as a regular expression says, as Python's `match`. Names come from whoever sends messages,
 * and some expressions take ages for some texts, so that the time is bounded.
 * @throws ImproperlyConfiguredError where it takes too long.
 */
export function matchesExpression(pattern: RegExp, text: string): boolean {
  context ??= createContext()
  context['text'] = text
  context['pattern'] = new RegExp(pattern.source, `${pattern.flags.replace(/[gy]/g, '')}y`)
  let timesBusy = 0
  for (let attempt = 1; ; attempt++) {
    const before = process.cpuUsage()
    try {
      return matchScript.runInContext(context, { timeout: longestMs })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error
      const { system, user } = process.cpuUsage(before)
      // On a busy machine the time can be over before it has begun; other threads may have been busy meanwhile.
      if ((system + user) / 1_000 >= longestMs / 2) timesBusy += 1
      if (timesBusy < enough && attempt < attempts) continue
      throw new ImproperlyConfiguredError(
        'taskRoutes',
        `the route ${pattern} takes too long for the task "${text}"; repeat nothing that is repeated itself, as in (a+)+`,
      )
    }
  }
}

// A try that was cut off may have moved the index.
const matchScript = new Script('pattern.lastIndex = 0; pattern.test(text)')
/** Made when the first expression is matched. */
let context: Context | undefined
/** Milliseconds. */
const longestMs = 20
/** So often it must have been at work all the time. */
const enough = 2
const attempts = 20
