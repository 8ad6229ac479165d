import type { AbortableOptions } from '@celery/promises'
import { CeleryError } from '@celery/promises'
import { type RedisArgument, type RedisClient, RedisRefusedError, translateReply } from '@celery/redis'
import { isDeadLetterQueue } from '@celery/transport'
import type { QueueMessage } from '@celery/transport/virtual'
import { BatchLane, portionsOf, type Submission } from './batch-lane.ts'
import type { Keys } from './keys.ts'
import { putPlainScript, putScript } from './put-script.ts'
import { replyList, replyNumber, replyText } from './reply.ts'
import { allDone, isDone, SentCall } from './sent-call.ts'
import { publicationName, unanswered } from './unanswered.ts'

/** Puts messages into their queues, each once, also where the answer to the first attempt was lost. */
export class Putter {
  readonly #client: RedisClient
  readonly #keys: Keys
  /** Where the number of the last call is noted. */
  readonly #mark: string
  readonly #lane: BatchLane<QueueMessage, Error | undefined>
  /** Queues that were found to have a time to live; what goes there is not sent as to a plain one first. */
  readonly #timed = new Set<string>()

  /** @param connection - `<session>.<any>` */
  constructor(client: RedisClient, keys: Keys, connection: string) {
    this.#client = client
    this.#keys = keys
    this.#mark = keys.put(connection)
    this.#lane = new BatchLane({
      ...limits,
      begin: (number) => new SentCall(connection, 'put', number),
      run: (messages, call, number) => this.#send(messages, call, number),
    })
  }

  async put(messages: readonly QueueMessage[], options: AbortableOptions = {}): Promise<void> {
    const missing = unanswered.isEmpty ? messages : await this.#withoutThosePut(messages)
    const portions = portionsOf(missing, limits)
    if (portions.length > 1) await this.#putInPortions(portions, options)
    else if (missing.length > 0) await this.#putPortion(missing, options)
    if (missing === messages) return
    // Not earlier: had the others failed, these would be put again when all are repeated.
    for (const { tag, queue } of messages) unanswered.delete(publicationName(tag, queue))
  }

  /** Rejects what was not sent. */
  fail(error: Error): void {
    this.#lane.fail(error)
  }

  async #putInPortions(portions: readonly (readonly QueueMessage[])[], options: AbortableOptions): Promise<void> {
    const put: [readonly QueueMessage[], Submission<unknown>][] = []
    try {
      for (const portion of portions) put.push([portion, await this.#putPortion(portion, options)])
    } catch (error) {
      for (const [portion, submission] of put) remember(portion, submission)
      throw error
    }
  }

  async #putPortion(messages: readonly QueueMessage[], options: AbortableOptions): Promise<Submission<unknown>> {
    const submission = this.#lane.submit(messages, options)
    try {
      const failures = await submission.results
      const failure = failures.find((error) => error !== undefined)
      if (failure !== undefined) throw failure
      return submission
    } catch (error) {
      remember(messages, submission)
      throw error
    }
  }

  async #withoutThosePut(messages: readonly QueueMessage[]): Promise<readonly QueueMessage[]> {
    const missing: QueueMessage[] = []
    for (const message of messages) {
      const name = publicationName(message.tag, message.queue)
      const place = unanswered.get(name)
      const outcome = place === undefined ? undefined : await place.call.outcome(this.#client, this.#keys)
      if (place !== undefined && isDone(outcome, place.index)) continue
      unanswered.delete(name)
      missing.push(message)
    }
    return missing.length === messages.length ? messages : missing
  }

  async #send(
    messages: readonly QueueMessage[],
    call: SentCall,
    number: number,
  ): Promise<readonly (Error | undefined)[]> {
    try {
      const plain = this.#sendPlain(messages, number)
      let reply = plain === undefined ? 'timed' : await plain
      let lists: Lists = noLists
      if (reply === 'timed') {
        if (plain !== undefined) this.#noteTimed(messages)
        lists = byList(messages, this.#keys)
        reply = await this.#sendByList(lists, number)
      }
      if (reply === 'closed') throw new Error('another connection of this process has given up this one')
      const failures = this.#failures(messages, [...lists.keys()], replyList(reply ?? []))
      const isWhole = failures.every((failure) => failure === undefined)
      call.answered(isWhole ? allDone : failures.map((failure) => (failure === undefined ? 'd' : 'e')).join(''))
      return failures
    } catch (error) {
      if (isUnavailable(error)) call.lost(listNumbers(messages, this.#keys))
      else call.answered(undefined)
      throw error
    }
  }

  #noteTimed([first]: readonly QueueMessage[]): void {
    if (first === undefined) return
    if (this.#timed.size >= maxTimed) this.#timed.clear()
    this.#timed.add(first.queue)
  }

  /** `undefined` where they do not go to one list whose messages stay, as far as is known. */
  #sendPlain(messages: readonly QueueMessage[], number: number): Promise<unknown> | undefined {
    const [first] = messages
    if (first === undefined || isDeadLetterQueue(first.queue)) return undefined
    const { queue, priority } = first
    if (this.#timed.has(queue)) return undefined
    const args: RedisArgument[] = [number, queue]
    for (const message of messages) {
      if (message.queue !== queue || message.priority !== priority) return undefined
      args.push(message.payload)
    }
    const keys = [this.#mark, this.#keys.queues, this.#keys.listOf(first)]
    return this.#client.script(putPlainScript, keys, args)
  }

  #sendByList(lists: Lists, number: number): Promise<unknown> {
    const { prefix, separator, queues } = this.#keys
    const args: RedisArgument[] = [prefix, separator, number]
    for (const [key, of] of lists) args.push(key, of.queue, of.payloads.length, ...of.payloads)
    return this.#client.script(putScript, [this.#mark, queues], args)
  }

  #failures(
    messages: readonly QueueMessage[],
    lists: readonly string[],
    reply: readonly unknown[],
  ): readonly (Error | undefined)[] {
    if (reply.length === 0) return messages.map(() => undefined)
    const failures = new Map<string, Error>()
    for (const failure of reply) {
      const [at, text] = replyList(failure)
      const list = lists[replyNumber(at)] ?? ''
      failures.set(list, this.#failure(list, replyText(text)))
    }
    return messages.map((message) => failures.get(this.#keys.listOf(message)))
  }

  #failure(list: string, text: string): Error {
    const { address } = this.#client
    const error = translateReply(address, text, undefined)
    if (!(error instanceof RedisRefusedError && error.reason === 'wrong-type')) return error
    return new RedisRefusedError(address, 'wrong-type', `${list}: ${text}`)
  }
}

/** Enough that a round trip is worth its while, and few enough that the server is not kept from others. */
const limits = { maxItems: 1_000, sizeOf: ({ payload }: QueueMessage): number => payload.length }

/** Where names are new all the time, those of old are not kept for ever. */
const maxTimed = 1_000

/** Whoever tries again after a failure must not put what was put, or may have been. */
function remember(messages: readonly QueueMessage[], submission: Submission<unknown>): void {
  for (const [index, { tag, queue }] of messages.entries()) {
    const place = submission.placeOf(index)
    if (place?.call.mayHaveDone(place.index) === true) unanswered.add(publicationName(tag, queue), place)
  }
}

function isUnavailable(error: unknown): boolean {
  return CeleryError.is(error, 'ERR_CELERY_REDIS_UNAVAILABLE') || CeleryError.is(error, 'ERR_CELERY_CONNECTION_LOST')
}

/** For each message the number of its list, which is its place among `byList`. */
function listNumbers(messages: readonly QueueMessage[], keys: Keys): readonly number[] {
  const numbers = new Map<string, number>()
  return messages.map((message) => {
    const key = keys.listOf(message)
    const number = numbers.get(key) ?? numbers.size
    numbers.set(key, number)
    return number
  })
}

/** Payloads by the list that they go to. */
type Lists = ReadonlyMap<string, ListPayloads>

interface ListPayloads {
  readonly queue: string
  readonly payloads: string[]
}

const noLists: Lists = new Map()

function byList(messages: readonly QueueMessage[], keys: Keys): Lists {
  const lists = new Map<string, ListPayloads>()
  for (const message of messages) {
    const key = keys.listOf(message)
    const list = lists.get(key)
    if (list === undefined) lists.set(key, { queue: message.queue, payloads: [message.payload] })
    else list.payloads.push(message.payload)
  }
  return lists
}
