import { createRequire } from 'node:module'
import { Worker as Thread } from 'node:worker_threads'
import type { ChildLink, ChildLinkEvents, ConnectChild } from './child-link.ts'
import { describeError } from './errors.ts'

/** How threads are started. */
export interface ThreadSpec {
  /** @defaultValue those of this process */
  readonly execArgv: readonly string[] | undefined
  /** @defaultValue Node's */
  readonly maxHeapBytes: number | undefined
}

const require = createRequire(import.meta.url)

/** Children that are threads of this process. */
export function threadLinks(spec: ThreadSpec): ConnectChild {
  return (module, events) => new ThreadLink(spec, module, events)
}

class ThreadLink implements ChildLink {
  readonly pid: number = process.pid
  readonly threadId: number
  readonly #thread: Thread

  constructor({ execArgv, maxHeapBytes }: ThreadSpec, module: string, events: ChildLinkEvents) {
    const main = require.resolve('@celery/process-pool/thread-main')
    this.#thread = new Thread(main, {
      argv: [module],
      name: 'celery-pool',
      ...(execArgv === undefined ? {} : { execArgv: threadExecArgv(execArgv) }),
      ...(maxHeapBytes === undefined
        ? {}
        : { resourceLimits: { maxOldGenerationSizeMb: Math.ceil(maxHeapBytes / 1_048_576) } }),
    })
    // One that has ended has none any more.
    this.threadId = this.#thread.threadId
    this.#thread.on('message', (bytes: Uint8Array) =>
      events.onBytes(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)),
    )
    this.#thread.on('error', (error) => events.onError(describeError(error)))
    this.#thread.on('exit', (exitCode) => {
      // Its messages come before its end.
      events.onDrained()
      events.onExit(exitCode, null)
    })
  }

  write(bytes: Uint8Array, done: () => void): void {
    post(this.#thread, bytes, done)
  }

  kill(): void {
    void this.#thread.terminate()
  }

  abandon(): void {
    this.#thread.unref()
  }
}

/** Hands over a copy, because a view takes all of the memory behind it along. */
export function post(
  port: { postMessage(value: unknown, transfer: ArrayBuffer[]): void },
  bytes: Uint8Array,
  done: () => void,
): void {
  const copy = new Uint8Array(bytes)
  port.postMessage(copy, [copy.buffer])
  done()
}

const OWN_TO_A_THREAD = /^(--import|--require|-r|--loader|--experimental-loader|--conditions|-C)(=|$)/

/** What of `node`'s options a thread may have of its own: loaders. The others are the whole process's, and are refused. */
export function threadExecArgv(execArgv: readonly string[]): string[] {
  const kept: string[] = []
  for (let i = 0; i < execArgv.length; i += 1) {
    const argument = execArgv[i] as string
    const [matched, , separator] = OWN_TO_A_THREAD.exec(argument) ?? []
    if (matched === undefined) continue
    kept.push(argument)
    const value = execArgv[i + 1]
    if (separator === '' && value !== undefined) {
      kept.push(value)
      i += 1
    }
  }
  return kept
}
