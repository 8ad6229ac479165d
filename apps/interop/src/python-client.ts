import { join } from 'node:path'
import { SYSTEM_PYTHON } from '@celery/test-servers'
import type { Call, Client, Outcome } from './client.ts'
import { LineProcess } from './line-process.ts'
import { toNative, toPlain } from './plain-values.ts'
import { appFolder, type Setup, setupEnvironment } from './setup.ts'
import { patienceMs } from './until.ts'

export const pythonFolder: string = join(appFolder, 'python')

/** A client of the original, in a process of its own; it also looks into Redis for us, by a library that is not ours. */
export class PythonClient implements Client {
  readonly language = 'python'
  readonly #process: LineProcess

  constructor(setup: Setup) {
    this.#process = new LineProcess(SYSTEM_PYTHON, ['client.py'], {
      cwd: pythonFolder,
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', ...setupEnvironment(setup) },
    })
  }

  async send(call: Call): Promise<string> {
    return (await this.#process.ask('send', plainCall(call))) as string
  }

  async sendMany(calls: readonly Call[]): Promise<readonly string[]> {
    return (await this.#process.ask('sendMany', calls.map(plainCall))) as string[]
  }

  async sendChain(calls: readonly Call[]): Promise<readonly string[]> {
    return (await this.#process.ask('sendChain', calls.map(plainCall))) as string[]
  }

  async outcome(id: string): Promise<Outcome> {
    return readOutcome(await this.#process.ask('outcome', id))
  }

  async wait(id: string): Promise<Outcome> {
    return readOutcome(await this.#process.ask('wait', id, patienceMs / 1000))
  }

  async waitForNews(id: string): Promise<Outcome> {
    return readOutcome(await this.#process.ask('waitForNews', id, patienceMs / 1000))
  }

  async waitAll(ids: readonly string[]): Promise<readonly Outcome[]> {
    return ((await this.#process.ask('waitAll', ids, patienceMs / 1000)) as unknown[]).map(readOutcome)
  }

  async forget(id: string): Promise<void> {
    await this.#process.ask('forget', id)
  }

  /** One command of Redis; what it answers as text, numbers, `null` and lists. */
  redis(...command: readonly (string | number)[]): Promise<unknown> {
    return this.#process.ask('redis', command)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]()
  }
}

function plainCall({ args = [], kwargs = {}, link = [], linkError = [], ...rest }: Call): unknown {
  return {
    ...rest,
    args: toPlain(args),
    kwargs: toPlain(kwargs),
    link: link.map(plainCall),
    linkError: linkError.map(plainCall),
  }
}

function readOutcome(answer: unknown): Outcome {
  const outcome = answer as Outcome
  return { ...outcome, result: toPlain(toNative(outcome.result)) }
}
