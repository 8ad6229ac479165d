/** Milliseconds between two looks at who the parent is. */
const lookEveryMs = 1_000

/**
 * Calls `onGone` when the package runner that started this process (npx, npm, pnpm, yarn) has ended, or the shell between the
 * two: they do not always pass on the signal that ended them, and who stopped them means this process. What was started
 * otherwise may well outlive its parent, and is not watched.
 */
export function watchRunner(
  env: NodeJS.ProcessEnv,
  onGone: (runner: string) => void,
  parent: () => number = () => process.ppid,
): Disposable {
  // "npm/10.8.2 node/v22.14.0 linux x64 workspaces/false"
  const runner = env.npm_config_user_agent?.split('/', 1)[0]
  if (!runner) return { [Symbol.dispose]() {} }
  const first = parent()
  const timer = setInterval(() => {
    if (parent() === first) return
    clearInterval(timer)
    onGone(runner)
  }, lookEveryMs).unref()
  return { [Symbol.dispose]: () => clearInterval(timer) }
}
