import { type AsyncResult, type CallOptions, Celery, chain, RemoteTaskError, type Signature, signature } from 'celery'
import { celeryOptions } from './celery-options.ts'
import type { Call, Client, Outcome } from './client.ts'
import { toPlain } from './plain-values.ts'
import type { Setup } from './setup.ts'
import { patienceMs } from './until.ts'

/** A client of ours, in this process. */
export class TypescriptClient implements Client {
  readonly language = 'typescript'
  readonly #app: Celery

  constructor(setup: Setup) {
    this.#app = new Celery('interop', celeryOptions(setup))
  }

  async send({ args = [], link = [], linkError = [], ...call }: Call): Promise<string> {
    const { id } = await this.#app.sendTask(call.task, [...args], {
      ...sendOptions(call),
      link: link.map((each) => this.#signature(each)),
      linkError: linkError.map((each) => this.#signature(each)),
    })
    return id
  }

  sendMany(calls: readonly Call[]): Promise<readonly string[]> {
    return Promise.all(calls.map((call) => this.send(call)))
  }

  async sendChain(calls: readonly Call[]): Promise<readonly string[]> {
    const last = await chain(calls.map((call) => this.#signature(call))).delay()
    const ids: string[] = []
    for (let step: AsyncResult | undefined = last; step !== undefined; step = step.parent) ids.unshift(step.id)
    return ids
  }

  async outcome(id: string): Promise<Outcome> {
    const result = this.#app.asyncResult(id)
    const meta = await result.meta()
    const { args, kwargs, name, queue, retries, worker } = meta
    const failure = meta.result instanceof Error ? errorOf(meta.result) : null
    return {
      state: meta.state,
      result: failure === null ? toPlain(meta.result) : null,
      error: failure,
      traceback: meta.traceback,
      children: (await result.children()).map((child) => child.id),
      extended: { name, args, kwargs, worker, retries, queue },
    }
  }

  async wait(id: string): Promise<Outcome> {
    await this.#app.asyncResult(id).get({ timeout: patienceMs / 1000, propagate: false })
    return this.outcome(id)
  }

  waitForNews(id: string): Promise<Outcome> {
    return this.wait(id)
  }

  waitAll(ids: readonly string[]): Promise<readonly Outcome[]> {
    return Promise.all(ids.map((id) => this.wait(id)))
  }

  forget(id: string): Promise<void> {
    return this.#app.asyncResult(id).forget()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#app.close()
  }

  #signature({
    args = [],
    immutable = false,
    link = [],
    linkError = [],
    ...call
  }: Call): Signature<unknown[], unknown> {
    return signature(call.task, [...args], {
      ...sendOptions(call),
      dispatcher: this.#app,
      immutable,
      link: link.map((each) => this.#signature(each)),
      linkError: linkError.map((each) => this.#signature(each)),
    })
  }
}

/** Options in our spelling. */
function sendOptions({ kwargs = {}, options = {} }: Call): CallOptions & { kwargs: Readonly<Record<string, unknown>> } {
  const camel = (name: string): string => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
  return { ...Object.fromEntries(Object.entries(options).map(([name, value]) => [camel(name), value])), kwargs }
}

/** The class and the message that a program gets to see; of a class that it does not know, the name that came with it. */
function errorOf(error: Error): { readonly type: string; readonly message: string } {
  if (!(error instanceof RemoteTaskError)) return { type: error.constructor.name, message: error.message }
  return { type: error.excType, message: error.args.map(String).join(', ') }
}
