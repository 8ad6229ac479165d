import { RedisUnavailableError } from '../errors.ts'
import { type ConnectedNode, connectNode, discard, isReplica } from './connect-node.ts'
import { isUnavailable, mostTelling } from './most-telling.ts'
import { readReply } from './read-reply.ts'
import type { RedisNode } from './redis-node.ts'
import type { RedisTargetData } from './redis-target.ts'
import { translateError } from './translate-error.ts'

/** Connects to the node of a cluster that owns the slot of the key prefix, asking each node in turn which one that is. */
export async function findSlotOwner(
  data: RedisTargetData,
  nodes: readonly RedisNode[],
  signal: AbortSignal | undefined,
): Promise<ConnectedNode> {
  const settings = { ...data, db: 0 }
  const errors: unknown[] = []
  for (const node of nodes) {
    try {
      const asked = await connectNode(node, settings, signal)
      const owner = await askForOwner(asked, node, data)
      if (owner === 'itself') return asked
      discard(asked.client)
      const connected = await connectNode(owner, settings, signal)
      if (!isReplica(connected)) return connected
      discard(connected.client)
      throw new RedisUnavailableError(data.address, 'failover', 'the owner of the slot is a replica now')
    } catch (error) {
      signal?.throwIfAborted()
      if (!isUnavailable(error)) throw error
      errors.push(error)
    }
  }
  throw mostTelling(errors, () => new RedisUnavailableError(data.address, 'cluster-down'))
}

async function askForOwner(
  asked: ConnectedNode,
  node: RedisNode,
  data: RedisTargetData,
): Promise<RedisNode | 'itself'> {
  const { client } = asked
  try {
    const [info, slots, slot, id] = await Promise.all([
      client.cluster('INFO'),
      client.cluster('SLOTS'),
      client.cluster('KEYSLOT', data.keyPrefix),
      client.cluster('MYID'),
    ])
    if (!/^cluster_state:ok/m.test(String(info))) throw new RedisUnavailableError(data.address, 'cluster-down')
    const owner = ownerOf(slots, Number(slot))
    if (owner === undefined) {
      throw new RedisUnavailableError(data.address, 'cluster-down', `nobody owns slot ${slot}`)
    }
    if (owner.id === String(id)) return 'itself'
    // A node that does not know its own name leaves it out: it is the one that was asked.
    const host = owner.host ?? ('host' in node ? node.host : undefined)
    if (host === undefined) throw new RedisUnavailableError(data.address, 'not-found', 'a node has no name')
    return { host, port: owner.port }
  } catch (error) {
    discard(client)
    throw translateError(data.address, error)
  }
}

interface SlotOwner {
  readonly host: string | undefined
  readonly port: number
  readonly id: string
}

/** `CLUSTER SLOTS` answers with ranges: first slot, last slot, then the primary and its replicas as [host, port, id, …]. */
function ownerOf(slots: unknown, slot: number): SlotOwner | undefined {
  if (!Array.isArray(slots)) return undefined
  for (const range of slots as unknown[]) {
    if (!Array.isArray(range)) continue
    const [first, last, primary]: unknown[] = range
    if (!(Number(first) <= slot && slot <= Number(last)) || !Array.isArray(primary)) continue
    const [host, port, id, details]: unknown[] = primary
    const name = text(host) ?? text(readReply(details).get('hostname')) ?? text(readReply(details).get('ip'))
    return { host: name, port: Number(port), id: String(id) }
  }
  return undefined
}

/** Redis 7 writes `?` for a host name that was not announced. */
function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' && value !== '?' ? value : undefined
}
