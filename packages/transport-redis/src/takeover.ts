import { CeleryError } from '@celery/promises'
import type { RedisClient } from '@celery/redis'
import { type Keys, parseTag } from './keys.ts'
import { Queues } from './queues.ts'
import { asRedelivered } from './redelivered.ts'
import { replyList, replyNumber, replyTexts } from './reply.ts'
import { expiredScript, forgetScript, giveBackRewrittenScript, takeOverScript } from './session-scripts.ts'

export interface TakeoverOptions {
  readonly leaseMs: number
  readonly graceMs: number
  /** Who asks: of its own nothing is taken over. */
  readonly session: string
}

/**
 * Puts back what owners held whose leases have ended, counted as redelivered, and ends what was theirs. Any number of
 * connections may do so at the same time.
 */
export async function takeOver(client: RedisClient, keys: Keys, options: TakeoverOptions): Promise<void> {
  const { leaseMs, graceMs, session } = options
  const expired = await client.script(
    expiredScript,
    [keys.owners, keys.renewed],
    [keys.prefix, keys.separator, leaseMs, graceMs, session],
  )
  for (const session of replyTexts(expired)) await takeOverSession(client, keys, session)
}

async function takeOverSession(client: RedisClient, keys: Keys, session: string): Promise<void> {
  const { prefix, separator, owners } = keys
  try {
    if (!(await moveHeld(client, keys, session))) return
    await new Queues(client, keys).leave(session)
  } catch (error) {
    // A key of another type must not keep everybody from everything else; later it is tried again.
    if (!CeleryError.is(error, 'ERR_CELERY_REDIS_REFUSED')) throw error
  }
  await client.script(
    forgetScript,
    [owners, keys.held(session), keys.exclusive(session)],
    [prefix, separator, session, 0],
  )
}

/** Says whether the session is still without a lease. */
async function moveHeld(client: RedisClient, keys: Keys, session: string): Promise<boolean> {
  const { prefix, separator, unacked, index, owners } = keys
  const held = keys.held(session)
  const tags = youngestFirst(replyTexts(await client.send('SMEMBERS', held)))
  // Also where it holds nothing: what else is its own must not go while it is back.
  for (const portion of await portionsOf(client, unacked, tags)) {
    const items = await rewritten(client, keys, portion)
    const all = [unacked, index, owners, held]
    const moved = await client.script(takeOverScript, all, [prefix, separator, session, ...items])
    if (replyNumber(moved) < 0) return false
  }
  return true
}

/** At least one, each of few and short enough messages to pass over a slow link, or of a single one. */
async function portionsOf(
  client: RedisClient,
  unacked: string,
  tags: readonly string[],
): Promise<readonly (readonly string[])[]> {
  const lengths = await client.pipeline(tags.map((tag) => ['HSTRLEN', unacked, tag]))
  const portions: string[][] = []
  let portion: string[] = []
  let bytes = 0
  for (const [index, tag] of tags.entries()) {
    const length = lengths[index]
    if (length instanceof Error) throw length
    bytes += replyNumber(length)
    if (portion.length > 0 && (bytes > portionBytes || portion.length === portionSize)) {
      portions.push(portion)
      portion = []
      bytes = replyNumber(length)
    }
    portion.push(tag)
  }
  return [...portions, portion]
}

/** Gives deliveries back, counted as redelivered, whoever of ours holds them. */
export async function giveBackCounted(client: RedisClient, keys: Keys, tags: readonly string[]): Promise<void> {
  const { prefix, separator, unacked, index } = keys
  for (const portion of await portionsOf(client, unacked, youngestFirst(tags))) {
    const items = await rewritten(client, keys, portion)
    await client.script(giveBackRewrittenScript, [unacked, index], [prefix, separator, ...items])
  }
}

/** Tag and payload of each, the payload as that of a message that was delivered before. */
async function rewritten(client: RedisClient, keys: Keys, tags: readonly string[]): Promise<(string | Buffer)[]> {
  if (tags.length === 0) return []
  const payloads = await redeliveredPayloads(client, keys, tags)
  // What has no payload any more was settled; the script then removes what is left of it.
  return tags.flatMap((tag, at) => [tag, payloads[at] ?? ''])
}

/** The payloads of held deliveries, as those of messages that were delivered before; `undefined` for what is not held. */
export async function redeliveredPayloads(
  client: RedisClient,
  keys: Keys,
  tags: readonly string[],
): Promise<readonly (string | Buffer | undefined)[]> {
  const values = replyList(await client.sendBuffer('HMGET', keys.unacked, ...tags))
  return values.map((value) => (Buffer.isBuffer(value) ? asRedelivered(unwrapUnacked(value)) : undefined))
}

/** The envelope in `[envelope, "", "queue"]`, byte for byte. */
function unwrapUnacked(value: Buffer): Buffer {
  const end = value.lastIndexOf(', "", "')
  return end < 0 ? value : value.subarray(1, end)
}

function youngestFirst(tags: readonly string[]): string[] {
  return [...tags].sort((a, b) => (parseTag(b)?.count ?? 0) - (parseTag(a)?.count ?? 0))
}

const portionSize = 256
const portionBytes = 1024 * 1024
