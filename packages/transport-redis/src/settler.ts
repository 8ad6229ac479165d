import { type AbortableOptions, CeleryError } from '@celery/promises'
import { type RedisArgument, type RedisClient, RedisWrite, translateReply } from '@celery/redis'
import type { SettleAction, SettleResult } from '@celery/transport'
import type { VirtualSettlement } from '@celery/transport/virtual'
import { BatchLane } from './batch-lane.ts'
import { type Keys, makeTag, parseTag } from './keys.ts'
import { replyList, replyText, replyTexts } from './reply.ts'
import { isDone, SentCall } from './sent-call.ts'
import type { Session } from './session.ts'
import { ackScript, settleScript } from './settle-script.ts'
import { redeliveredPayloads } from './takeover.ts'
import { publicationName, unanswered } from './unanswered.ts'

export interface SettlerOptions {
  /** `<session>.<any>` */
  readonly connection: string
  readonly session: Session
  readonly now: () => number
  /** Age in the index at which Python puts messages back. */
  readonly visibilityMs: number
}

/** Settles deliveries in batches; one whose answer was lost gives the same results when it is repeated. */
export class Settler {
  readonly #client: RedisClient
  readonly #keys: Keys
  readonly #options: SettlerOptions
  readonly #lane: BatchLane<VirtualSettlement, SettleResult | Error>

  constructor(client: RedisClient, keys: Keys, options: SettlerOptions) {
    this.#client = client
    this.#keys = keys
    this.#options = options
    this.#lane = new BatchLane({
      maxItems: maxSettlements,
      sizeOf,
      begin: (number) => new SentCall(options.connection, 'settle', number),
      run: (settlements, call, number) => this.#send(settlements, call, number),
    })
  }

  async settle(
    settlements: readonly VirtualSettlement[],
    options: AbortableOptions = {},
  ): Promise<readonly SettleResult[]> {
    const known = unanswered.isEmpty ? [] : await this.#knownResults(settlements)
    const open = known.length === 0 ? settlements : settlements.filter((_, index) => known[index] === undefined)
    const results = open.length === 0 ? [] : await this.#settleOpen(open, options)
    for (const { delivery } of settlements) if (delivery !== undefined) this.#options.session.held.delete(delivery.tag)
    if (known.length === 0) return results
    // Not earlier: had the others failed, these would seem stale when all are repeated.
    for (const settlement of settlements) for (const name of namesOf(settlement)) unanswered.delete(name)
    let at = 0
    return settlements.map((_, index) => known[index] ?? results[at++] ?? 'stale')
  }

  /** Rejects what was not sent. */
  fail(error: Error): void {
    this.#lane.fail(error)
  }

  async #settleOpen(
    settlements: readonly VirtualSettlement[],
    options: AbortableOptions,
  ): Promise<readonly SettleResult[]> {
    const submission = this.#lane.submit(settlements, options)
    try {
      const results = await submission.results
      return results.map((result) => {
        if (result instanceof Error) throw result
        return result
      })
    } catch (error) {
      for (const [index, settlement] of settlements.entries()) {
        const place = submission.placeOf(index)
        for (const name of namesOf(settlement)) unanswered.add(name, place)
      }
      throw error
    }
  }

  /** What an earlier attempt has done, by index; nothing where that is unknown or was nothing. */
  async #knownResults(settlements: readonly VirtualSettlement[]): Promise<(SettleResult | undefined)[]> {
    const known: (SettleResult | undefined)[] = []
    for (const [index, settlement] of settlements.entries()) {
      const [name] = namesOf(settlement)
      const place = name === undefined ? undefined : unanswered.get(name)
      if (name === undefined || place === undefined) continue
      const outcome = await place.call.outcome(this.#client, this.#keys)
      if (isDone(outcome, place.index)) known[index] = 'done'
      else if (outcome?.[place.index] === 's') known[index] = 'stale'
      else unanswered.delete(name)
    }
    return known
  }

  async #send(
    settlements: readonly VirtualSettlement[],
    call: SentCall,
    number: number,
  ): Promise<readonly (SettleResult | Error)[]> {
    try {
      const [letters, problems] = settlements.every(isPlainAck)
        ? [await this.#ack(settlements, number), []]
        : await this.#settleEach(settlements, number)
      if (letters === 'closed') throw new Error('another connection of this process has given up this one')
      call.answered(letters)
      let problem = 0
      return Array.from(letters, (letter) => {
        if (letter === 'e') return translateReply(this.#client.address, problems[problem++] ?? '', 'settle')
        return letter === 'd' ? 'done' : 'stale'
      })
    } catch (error) {
      if (CeleryError.is(error, 'ERR_CELERY_REDIS_UNAVAILABLE')) call.lost()
      else call.answered(undefined)
      throw error
    }
  }

  async #ack(settlements: readonly VirtualSettlement[], number: number): Promise<string> {
    const { prefix, separator, unacked, index } = this.#keys
    const tags = settlements.map(({ delivery }) => delivery?.tag ?? '')
    const { connection, session } = this.#options
    const keys = [unacked, index, this.#keys.settled(connection), this.#keys.held(session.id)]
    const args = [prefix, separator, number, `${session.id}.`, ...tags]
    return replyText(await this.#client.script(ackScript, keys, args))
  }

  async #settleEach(settlements: readonly VirtualSettlement[], number: number): Promise<[string, readonly string[]]> {
    const { prefix, separator, unacked, index, eta, delayed, queues } = this.#keys
    const counted = settlements.flatMap(({ delivery, action }) =>
      delivery !== undefined && isCounted(action) ? [delivery.tag] : [],
    )
    const payloads = counted.length === 0 ? [] : await redeliveredPayloads(this.#client, this.#keys, counted)
    const replacements = new Map(counted.map((tag, at) => [tag, payloads[at] ?? '']))
    const writes = new Map<string, number>()
    const args: RedisArgument[] = [prefix, separator, number, this.#options.visibilityMs]
    let form: string | undefined
    let countAt = 0
    let count = 0
    for (const settlement of settlements) {
      const next = formOf(settlement, writes)
      if (next !== form) {
        form = next
        countAt = args.push(form, 0) - 1
        count = 0
      }
      args[countAt] = ++count
      this.#encode(settlement, replacements, args)
    }
    const keys = [unacked, index, eta, delayed, this.#keys.settled(this.#options.connection), queues]
    const reply = await this.#client.script(settleScript([...writes.keys()]), keys, args)
    if (reply === 'closed') return ['closed', []]
    const [letters, ...problems] = replyList(reply)
    return [replyText(letters), replyTexts(problems)]
  }

  /** As `settleScript` reads it. */
  #encode(
    { delivery, action, put, writes }: VirtualSettlement,
    replacements: ReadonlyMap<string, string | Buffer>,
    args: RedisArgument[],
  ): void {
    const tag = delivery?.tag ?? ''
    // A tag that is none of ours belongs to no delivery; asked for by itself, it is found to be stale.
    args.push(tag)
    switch (action?.type) {
      case 'requeue':
        args.push(replacements.get(tag) ?? '')
        break
      case 'park': {
        const session = this.#options.session
        const parts = parseTag(tag)
        const parked = parts === undefined ? tag : makeTag({ ...parts, session: session.id, count: session.reserve(1) })
        const waitMs = Math.ceil(action.untilMs - this.#options.now())
        args.push(waitMs, parked, replacements.get(tag) ?? '')
        break
      }
      case 'dead':
        args.push(JSON.stringify(action.reason))
    }
    for (const { statement } of writes ?? []) {
      const { keys, args: values } = statement as RedisWrite
      for (const key of keys) args.push(key)
      for (const value of values) args.push(value)
    }
    for (const message of put ?? []) args.push(this.#keys.listOf(message), message.queue, message.payload)
  }
}

/** What kind of item it is to `settleScript`. @param kinds - the writes known so far, by their Lua. */
function formOf({ action, put, writes }: VirtualSettlement, kinds: Map<string, number>): string {
  let form = `${letters[action?.type ?? 'ack']} ${put?.length ?? 0}`
  for (const { statement } of writes ?? []) {
    const { lua, keys, args } = statement as RedisWrite
    let kind = kinds.get(lua)
    if (kind === undefined) {
      kind = kinds.size + 1
      kinds.set(lua, kind)
    }
    form += ` ${kind} ${keys.length} ${args.length}`
  }
  return form
}

const letters: Readonly<Record<SettleAction['type'], string>> = { ack: 'a', requeue: 'r', park: 'p', dead: 'd' }

const maxSettlements = 1_000

/** What it writes and publishes. */
function sizeOf({ put, writes }: VirtualSettlement): number {
  let size = 0
  for (const { payload } of put ?? []) size += payload.length
  for (const { statement } of writes ?? []) {
    for (const value of (statement as RedisWrite).args) size += typeof value === 'number' ? 8 : value.length
  }
  return size
}

/** How it is known again: by its delivery, and where there is none, by what it publishes. */
function namesOf({ delivery, put }: VirtualSettlement): readonly string[] {
  if (delivery !== undefined) return [delivery.tag]
  return (put ?? []).map(({ tag, queue }) => publicationName(tag, queue))
}

function isPlainAck({ delivery, action, put, writes }: VirtualSettlement): boolean {
  if (delivery === undefined || (action !== undefined && action.type !== 'ack')) return false
  return (put === undefined || put.length === 0) && (writes === undefined || writes.length === 0)
}

function isCounted(action: SettleAction | undefined): boolean {
  return (action?.type === 'requeue' || action?.type === 'park') && action.counted === true
}

/** @throws TypeError before anything happens, rather than in the middle of a batch. */
export function checkWrites(settlements: readonly VirtualSettlement[]): void {
  for (const { writes } of settlements) {
    for (const { statement } of writes ?? []) {
      if (!isRedisWrite(statement)) throw new TypeError('a write to a Redis broker must be a RedisWrite')
    }
  }
}

/** By shape: the store may have been built with another copy of `@celery/redis`. */
function isRedisWrite(value: unknown): value is RedisWrite {
  if (value instanceof RedisWrite) return true
  if (typeof value !== 'object' || value === null) return false
  const { lua, keys, args } = value as Partial<RedisWrite>
  return typeof lua === 'string' && Array.isArray(keys) && Array.isArray(args)
}
