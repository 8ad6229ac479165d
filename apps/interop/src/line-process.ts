import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { parseJson, stringifyJson } from '@celery/serialization'

/** A program that answers lines of JSON by lines of JSON. It ends when its standard input does, so it cannot outlive us. */
export class LineProcess implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  readonly #name: string
  #lastId = 0
  #log = ''
  #isEnded = false

  constructor(command: string, args: readonly string[], options: { cwd: string; env: NodeJS.ProcessEnv }) {
    this.#name = [command, ...args].join(' ')
    this.#child = spawn(command, args, { ...options, stdio: 'pipe' })
    const { stderr, stdin, stdout } = this.#child
    stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#log = (this.#log + text).slice(-8_192)
    })
    // It says why it ended by its output; a request that it did not read is rejected below.
    stdin?.on('error', () => {})
    if (stdout !== null) createInterface(stdout).on('line', (line) => this.#answer(line))
    const end = (): void => {
      this.#isEnded = true
      for (const { reject } of this.#waiting.values()) reject(this.#ended())
      this.#waiting.clear()
    }
    this.#child.once('error', end)
    this.#child.once('close', end)
  }

  /** @throws Error with what the program says went wrong. */
  ask(op: string, ...args: unknown[]): Promise<unknown> {
    if (this.#isEnded) return Promise.reject(this.#ended())
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#child.stdin?.write(`${stringifyJson({ id, op, args })}\n`)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isEnded) return
    const closed = once(this.#child, 'close')
    this.#child.stdin?.end()
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 10_000)
    await closed
    clearTimeout(timer)
  }

  #answer(line: string): void {
    const { error, id, value } = parseJson(line) as Answer
    const asked = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (error === undefined) asked?.resolve(value)
    else asked?.reject(new Error(`${error.type}: ${error.message}`))
  }

  #ended(): Error {
    return new Error(`${this.#name} has ended: ${this.#log}`)
  }
}

interface Answer {
  readonly id: number
  readonly value?: unknown
  readonly error?: { readonly type: string; readonly message: string }
}
