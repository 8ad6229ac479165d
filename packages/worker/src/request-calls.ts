import type { RequestFailure, RequestHandlers, RequestTimeout, TaskLog } from '@celery/app'
import { type TraceInput, taskRequest } from '@celery/app/internal'

/** Calls what a task wants to be called in this process. Never throws, and nobody waits for it. */
export class RequestCalls {
  readonly #handlers: RequestHandlers
  readonly #log: TaskLog

  constructor(handlers: RequestHandlers, log: TaskLog) {
    this.#handlers = handlers
    this.#log = log
  }

  timedOut(input: TraceInput, timeout: RequestTimeout): void {
    void this.#call('onTimeout', input, () => this.#handlers.onTimeout?.(taskRequest(input, undefined), timeout))
  }

  failed(input: TraceInput, failure: RequestFailure): void {
    void this.#call('onFailure', input, () => this.#handlers.onFailure?.(taskRequest(input, undefined), failure))
  }

  async #call(name: string, { headers }: TraceInput, run: () => void | Promise<void>): Promise<void> {
    try {
      await run()
    } catch (error) {
      this.#log.contained(`${name} of the request`, error, { name: headers.task, id: headers.id })
    }
  }
}
