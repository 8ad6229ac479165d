import { setTimeout as sleep } from 'node:timers/promises'
import type { BlockedLoop } from './blocked-loop.ts'
import type { HealthSource } from './health-answer.ts'
import { deadMs, type HealthReason, type HealthReport } from './health-report.ts'
import { MetricsText } from './metrics-text.ts'

export interface MainThreadQuestion {
  readonly type: 'ask'
  readonly id: number
  readonly what: 'report' | 'metrics'
}

export interface MainThreadAnswer {
  readonly type: 'answer'
  /** Of the question; absent where nobody had asked. */
  readonly id?: number
  readonly report?: HealthReport
  readonly metrics?: string
}

/** Milliseconds between two looks at whether the main loop lives. */
const lookMs = 100

/** Milliseconds without a turn of the main loop after which it is not waited for: two beats. */
const patienceMs = 2_000

/** Milliseconds for which a main loop that turns is waited for: a report takes 5 s at most. */
const answerMs = 6_000

/** Asks the main thread, and knows what to say where that does not answer. */
export class MainThreadSource implements HealthSource {
  readonly #loop: BlockedLoop
  readonly #ask: (question: MainThreadQuestion) => void
  readonly #waiting = new Map<number, (answer: MainThreadAnswer) => void>()
  #lastId = 0
  #report: HealthReport | undefined
  #metrics: string | undefined

  constructor(loop: BlockedLoop, ask: (question: MainThreadQuestion) => void) {
    this.#loop = loop
    this.#ask = ask
  }

  answered(answer: MainThreadAnswer): void {
    this.#report = answer.report ?? this.#report
    this.#metrics = answer.metrics ?? this.#metrics
    if (answer.id !== undefined) this.#waiting.get(answer.id)?.(answer)
  }

  async notLive(): Promise<HealthReason | undefined> {
    return this.#loop.silenceMs < deadMs ? undefined : await this.#loop.reason()
  }

  async report(): Promise<HealthReport> {
    const answer = await this.#answerTo('report')
    if (answer?.report !== undefined) return answer.report
    const last = this.#report
    if (last === undefined) throw new Error('the main thread has not said anything yet')
    if (!this.#loop.isBlocked) return last
    return { ...last, ready: false, live: this.#loop.silenceMs < deadMs, reasons: [await this.#loop.reason()] }
  }

  /** Of a blocked worker the last numbers: they stand still as it does. What matters most is said anew. */
  async metrics(): Promise<string> {
    const answer = await this.#answerTo('metrics')
    if (answer?.metrics !== undefined) return answer.metrics
    const report = await this.report()
    const text = new MetricsText({ hostname: report.node })
      .gauge('celery_worker_ready', 'Whether the worker takes messages and can run tasks.', Number(report.ready))
      .add(
        'celery_worker_not_ready_reason',
        'gauge',
        'Why it is not ready.',
        report.reasons.map(({ code }) => ({ labels: { reason: code }, value: 1 })),
      )
      .gauge(
        'celery_worker_event_loop_lag_seconds',
        'Longest delay of the main loop in the last 10 to 20 s.',
        this.#loop.silenceMs / 1_000,
      )
    return text.replaceIn(this.#metrics ?? '')
  }

  /** Nothing where the main loop does not turn. */
  async #answerTo(what: MainThreadQuestion['what']): Promise<MainThreadAnswer | undefined> {
    const id = ++this.#lastId
    let answer: MainThreadAnswer | undefined
    const answered = new Promise<void>((resolve) => {
      this.#waiting.set(id, (given) => {
        answer = given
        resolve()
      })
    })
    this.#ask({ type: 'ask', id, what })
    const givesUpAt = performance.now() + answerMs
    while (answer === undefined && this.#loop.silenceMs < patienceMs && performance.now() < givesUpAt) {
      await Promise.race([answered, sleep(lookMs)])
    }
    this.#waiting.delete(id)
    return answer
  }
}
