import { type Deferred, deferred } from '@celery/promises'
import type { RedisClient } from '@celery/redis'
import type { Keys } from './keys.ts'
import { replyList, replyText } from './reply.ts'
import { closeSentScript } from './session-scripts.ts'

/**
 * What became of a call: a letter for each item where it was carried out (`d` done, `s` stale, `e` refused) or `allDone`;
 * `undefined` where it never was and never will be.
 */
export type Outcome = string | undefined

/** The outcome of a call of which all items were done. */
export const allDone = '*'

/** Whether that says that the item was done. */
export function isDone(outcome: Outcome, index: number): boolean {
  return outcome === allDone || outcome?.[index] === 'd'
}

/**
 * One call of a connection that changes something, by its number among those of its kind, so that what became of it can be
 * found out even if its answer was lost.
 */
export class SentCall {
  readonly #connection: string
  readonly #kind: 'put' | 'settle'
  readonly #number: number
  #answer: { readonly outcome: Outcome | 'lost' } | undefined
  #lists: readonly number[] = []
  /** Of whoever asks before the answer is there, which is rare. */
  #asked: Deferred<Outcome | 'lost'> | undefined
  #outcome: Promise<Outcome> | undefined

  /** @param connection - `<session>.<any>` */
  constructor(connection: string, kind: 'put' | 'settle', number: number) {
    this.#connection = connection
    this.#kind = kind
    this.#number = number
  }

  answered(outcome: Outcome): void {
    this.#end(outcome)
  }

  /**
   * The connection failed before the answer came.
   * @param lists - the list that each item was for, by its number in the call, where lists can be refused
   */
  lost(lists: readonly number[] = []): void {
    this.#lists = lists
    this.#end('lost')
  }

  /** Whether the item was done, or may have been as far as is known. */
  mayHaveDone(index: number): boolean {
    if (this.#answer === undefined || this.#answer.outcome === 'lost') return true
    return isDone(this.#answer.outcome, index)
  }

  /** What became of it. Where the answer was lost, asks the server, which from then on refuses the call if it comes late. */
  outcome(client: RedisClient, keys: Keys): Promise<Outcome> {
    this.#outcome ??= this.#find(client, keys).catch((error: unknown) => {
      this.#outcome = undefined
      throw error
    })
    return this.#outcome
  }

  #end(outcome: Outcome | 'lost'): void {
    this.#answer ??= { outcome }
    this.#asked?.resolve(outcome)
  }

  #untilAnswer(): Promise<Outcome | 'lost'> {
    this.#asked ??= deferred()
    return this.#asked.promise
  }

  async #find(client: RedisClient, keys: Keys): Promise<Outcome> {
    const answer = this.#answer === undefined ? await this.#untilAnswer() : this.#answer.outcome
    if (answer !== 'lost') return answer
    const [put, settle, results] = replyList(
      await client.script(closeSentScript, [keys.put(this.#connection), keys.settled(this.#connection)]),
    )
    if (this.#kind === 'put') return this.#putOutcome(String(put ?? 0))
    return Number(settle ?? 0) === this.#number ? replyText(results) : undefined
  }

  /** @param noted - as `putScript` notes it */
  #putOutcome(noted: string): Outcome {
    const [number, ...refused] = noted.split(' ').map(Number)
    if (number !== this.#number) return undefined
    if (refused.length === 0) return allDone
    return this.#lists.map((list) => (refused.includes(list) ? 'e' : 'd')).join('')
  }
}
