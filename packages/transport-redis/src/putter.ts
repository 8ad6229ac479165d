import type { AbortableOptions } from '@celery/promises'
import { CeleryError } from '@celery/promises'
import { type RedisArgument, type RedisClient, RedisRefusedError } from '@celery/redis'
import { isDeadLetterQueue } from '@celery/transport'
import type { QueueMessage } from '@celery/transport/virtual'
import { BatchLane } from './batch-lane.ts'
import type { Keys } from './keys.ts'
import { putPlainScript, putScript } from './put-script.ts'
import { replyList, replyNumber, replyText } from './reply.ts'
import { allDone, SentCall } from './sent-call.ts'
import { publicationName, unanswered } from './unanswered.ts'

/** Puts messages into their queues, each once, also where the answer to the first attempt was lost. */
export class Putter {
  readonly #client: RedisClient
  readonly #keys: Keys
  readonly #connection: string
  readonly #lane: BatchLane<QueueMessage, Error | undefined>

  /** @param connection - `<session>.<any>` */
  constructor(client: RedisClient, keys: Keys, connection: string) {
    this.#client = client
    this.#keys = keys
    this.#connection = connection
    this.#lane = new BatchLane({
      maxItems: maxMessages,
      begin: (number) => new SentCall(this.#connection, 'put', number),
      run: (messages, call, number) => this.#send(messages, call, number),
    })
  }

  async put(messages: readonly QueueMessage[], options: AbortableOptions = {}): Promise<void> {
    const missing = unanswered.isEmpty ? messages : await this.#withoutThosePut(messages)
    for (let first = 0; first < missing.length; first += maxMessages) {
      await this.#putPortion(
        missing.length <= maxMessages ? missing : missing.slice(first, first + maxMessages),
        options,
      )
    }
  }

  /** Rejects what was not sent. */
  fail(error: Error): void {
    this.#lane.fail(error)
  }

  async #putPortion(messages: readonly QueueMessage[], options: AbortableOptions): Promise<void> {
    let place: { readonly call: SentCall; readonly first: number } | undefined
    const onSent = (call: SentCall, first: number): void => {
      place = { call, first }
    }
    try {
      const failures = await this.#lane.submit(messages, onSent, options)
      const failure = failures.find((error) => error !== undefined)
      if (failure !== undefined) throw failure
    } catch (error) {
      // Whoever tries again must not put what was put. That of a call which was refused as a whole is soon found out.
      if (place !== undefined && (isUnavailable(error) || options.signal?.aborted === true)) {
        for (const [index, { tag, queue }] of messages.entries()) {
          unanswered.add(publicationName(tag, queue), { call: place.call, index: place.first + index })
        }
      }
      throw error
    }
  }

  async #withoutThosePut(messages: readonly QueueMessage[]): Promise<readonly QueueMessage[]> {
    const missing: QueueMessage[] = []
    for (const message of messages) {
      const name = publicationName(message.tag, message.queue)
      const place = unanswered.get(name)
      const outcome = place === undefined ? undefined : await place.call.outcome(this.#client, this.#keys)
      if (place !== undefined) unanswered.delete(name)
      if (outcome === undefined || outcome[place?.index ?? 0] === 's') missing.push(message)
    }
    return missing
  }

  async #send(
    messages: readonly QueueMessage[],
    call: SentCall,
    number: number,
  ): Promise<readonly (Error | undefined)[]> {
    const lists = byList(messages, this.#keys)
    try {
      const reply = await this.#ask(lists, number)
      if (reply === 'closed') throw new Error('another connection of this process has given up this one')
      call.answered(allDone)
      return this.#failures(messages, [...lists.keys()], replyList(reply))
    } catch (error) {
      if (isUnavailable(error)) call.lost()
      else call.answered(undefined)
      throw error
    }
  }

  async #ask(lists: Lists, number: number): Promise<unknown> {
    const { prefix, separator, queues } = this.#keys
    const keys = [this.#keys.put(this.#connection), queues]
    const [[list, { queue, payloads }] = noList] = lists
    if (lists.size === 1 && !isDeadLetterQueue(queue)) {
      const reply = await this.#client.script(putPlainScript, [...keys, list], [number, ...payloads])
      if (reply !== 'declared') return reply ?? []
    }
    const args: RedisArgument[] = [prefix, separator, number]
    for (const [key, of] of lists) args.push(key, of.queue, of.payloads.length, ...of.payloads)
    return await this.#client.script(putScript, keys, args)
  }

  #failures(
    messages: readonly QueueMessage[],
    lists: readonly string[],
    reply: readonly unknown[],
  ): (Error | undefined)[] {
    if (reply.length === 0) return messages.map(() => undefined)
    const failures = new Map<string, Error>()
    for (const failure of reply) {
      const [at, text] = replyList(failure)
      const list = lists[replyNumber(at)] ?? ''
      failures.set(list, new RedisRefusedError(this.#client.address, 'wrong-type', `${list}: ${replyText(text)}`))
    }
    return messages.map((message) => failures.get(listOf(message, this.#keys)))
  }
}

/** Enough that a round trip is worth its while, and few enough that the server is not kept from others. */
const maxMessages = 1_000

function isUnavailable(error: unknown): boolean {
  return CeleryError.is(error, 'ERR_CELERY_REDIS_UNAVAILABLE') || CeleryError.is(error, 'ERR_CELERY_CONNECTION_LOST')
}

function listOf({ queue, priority }: QueueMessage, keys: Keys): string {
  return keys.list(queue, keys.step(queue, priority))
}

/** Payloads by the list that they go to. */
type Lists = ReadonlyMap<string, ListPayloads>

interface ListPayloads {
  readonly queue: string
  readonly payloads: string[]
}

const noList: readonly [string, ListPayloads] = ['', { queue: '', payloads: [] }]

function byList(messages: readonly QueueMessage[], keys: Keys): Lists {
  const lists = new Map<string, ListPayloads>()
  for (const message of messages) {
    const key = listOf(message, keys)
    const list = lists.get(key)
    if (list === undefined) lists.set(key, { queue: message.queue, payloads: [message.payload] })
    else list.payloads.push(message.payload)
  }
  return lists
}
