import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const builtPackage = pathToFileURL(createRequire(import.meta.url).resolve('@celery/backend-sqlite')).href

/**
 * Another process, running `source` with `backend` open on `file`. Its `lines` are what it prints; it waits for a line
 * of ours with `await go()`. Disposing it kills it.
 */
export function startChild(file: string, source: string): Child {
  const program = `
    import { once } from 'node:events'
    import { sqlite } from ${JSON.stringify(builtPackage)}
    const backend = await sqlite.open(${JSON.stringify(`sqlite:///${file}`)})
    const go = () => once(process.stdin, 'data')
    const success = (taskId, note = '') => ({ taskId, state: 'SUCCESS', record: JSON.stringify({ taskId, note }) })
    ${source}
    await backend.close()
    process.stdin.destroy()
  `
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['pipe', 'pipe', 'inherit'] })
  const exited = once(child, 'exit').then(([code]) => code as number | null)
  return {
    process: child,
    lines: createInterface({ input: child.stdout })[Symbol.asyncIterator](),
    go: () => void child.stdin.write('go\n'),
    exited,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

export interface Child extends AsyncDisposable {
  readonly process: ChildProcess
  readonly lines: AsyncIterator<string>
  go(): void
  readonly exited: Promise<number | null>
}
