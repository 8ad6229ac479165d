import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { createInterface, type Interface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { SYSTEM_PYTHON } from '@celery/test-servers'

type Reply = Readonly<Record<string, unknown>>

/** One Python with kombu, asked in lines of JSON. It ends with its input, so it cannot outlive the test. */
export class PythonBridge implements AsyncDisposable {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>
  readonly #lines: Interface
  readonly #replies: AsyncIterator<string>

  constructor() {
    const script = fileURLToPath(new URL('bridge.py', import.meta.url))
    this.#process = spawn(SYSTEM_PYTHON, ['-B', script], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#lines = createInterface({ input: this.#process.stdout })
    this.#replies = this.#lines[Symbol.asyncIterator]()
  }

  async ask(request: Reply): Promise<Reply> {
    this.#process.stdin.write(`${JSON.stringify(request)}\n`)
    const { value, done } = await this.#replies.next()
    if (done) throw new Error('Python has ended')
    const reply = JSON.parse(value) as Reply
    if (typeof reply['error'] === 'string') throw new Error(reply['error'])
    return reply
  }

  async close(): Promise<void> {
    const ended =
      this.#process.exitCode === null ? new Promise((resolve) => this.#process.once('exit', resolve)) : undefined
    this.#process.stdin.end()
    await ended
    this.#lines.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
