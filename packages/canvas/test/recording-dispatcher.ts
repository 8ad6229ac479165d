import type { SignatureData } from '@celery/protocol'
import { AsyncResult, EagerResult, ResultReader } from '@celery/results'
import { type CallPlan, type Dispatcher, resultLine } from '../src/index.ts'

/** Keeps what is sent; ids come from a list, then are numbered. */
export class RecordingDispatcher implements Dispatcher {
  readonly sent: CallPlan[] = []
  readonly replyTo: string | undefined
  readonly #ids: string[]
  #made = 0
  readonly #reader = new ResultReader({ backend: () => Promise.reject(new Error('there is no store')) })

  constructor(options: { readonly ids?: readonly string[]; readonly replyTo?: string } = {}) {
    this.#ids = [...(options.ids ?? [])]
    this.replyTo = options.replyTo
  }

  newId(): string {
    this.#made += 1
    return this.#ids.shift() ?? `id-${this.#made}`
  }

  async send(plan: CallPlan): Promise<AsyncResult> {
    this.sent.push(plan)
    return this.resultOf(plan.steps)
  }

  /** Keeps it too; its value is the arguments of the call. */
  async apply(plan: CallPlan): Promise<EagerResult> {
    this.sent.push(plan)
    return new EagerResult(plan.call.taskId, this.#reader, { state: 'SUCCESS', value: plan.call.args })
  }

  resultOf(steps: readonly SignatureData[]): AsyncResult {
    return resultLine(
      steps,
      (step, parent) => new AsyncResult(step.options.task_id as string, this.#reader, { parent }),
    )
  }
}
