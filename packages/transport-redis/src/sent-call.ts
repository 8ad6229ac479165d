import { deferred } from '@celery/promises'
import type { RedisClient } from '@celery/redis'
import type { Keys } from './keys.ts'
import { replyList, replyText } from './reply.ts'
import { closeSentScript } from './session-scripts.ts'

/** What became of a call: the letter of each item where it was carried out, `undefined` where it never was and never will be. */
export type Outcome = string | undefined

/**
 * One call of a connection that changes something, by its number among those of its kind, so that what became of it can be
 * found out even if its answer was lost.
 */
export class SentCall {
  readonly #connection: string
  readonly #kind: 'put' | 'settle'
  readonly #number: number
  readonly #answer = deferred<Outcome | 'lost'>()
  #outcome: Promise<Outcome> | undefined

  /** @param connection - `<session>.<any>` */
  constructor(connection: string, kind: 'put' | 'settle', number: number) {
    this.#connection = connection
    this.#kind = kind
    this.#number = number
  }

  answered(outcome: Outcome): void {
    this.#answer.resolve(outcome)
  }

  /** The connection failed before the answer came. */
  lost(): void {
    this.#answer.resolve('lost')
  }

  /** What became of it. Where the answer was lost, asks the server, which from then on refuses the call if it comes late. */
  outcome(client: RedisClient, keys: Keys): Promise<Outcome> {
    this.#outcome ??= this.#find(client, keys).catch((error: unknown) => {
      this.#outcome = undefined
      throw error
    })
    return this.#outcome
  }

  async #find(client: RedisClient, keys: Keys): Promise<Outcome> {
    const answer = await this.#answer.promise
    if (answer !== 'lost') return answer
    const [put, settle, results] = replyList(
      await client.script(closeSentScript, [keys.put(this.#connection), keys.settled(this.#connection)]),
    )
    if (this.#kind === 'put') return Number(put ?? 0) >= this.#number ? allDone : undefined
    return Number(settle ?? 0) === this.#number ? replyText(results) : undefined
  }
}

/** The outcome of a call whose items have none of their own. */
export const allDone = '*'
