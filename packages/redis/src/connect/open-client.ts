import { type AbortableOptions, abortable } from '@celery/promises'
import type { Redis } from 'ioredis'
import { RedisRefusedError, RedisUnavailableError } from '../errors.ts'
import { type ConnectedNode, connectNode, discard, isReplica } from './connect-node.ts'
import { findMaster } from './find-master.ts'
import { findSlotOwner } from './find-slot-owner.ts'
import { hashTag, type RedisTarget, type RedisTargetData } from './redis-target.ts'
import { translateError } from './translate-error.ts'

/** A connection that is good for use, and where it leads. */
export interface OpenedClient {
  readonly client: Redis
  /** `host:port` of the server, or the path of its socket: with sentinels and clusters not that of the URL. */
  readonly node: string
  /** `7.0.15` for example. */
  readonly version: string
}

/**
 * Opens one connection to the server that takes writes: the one of the URL, the primary that the sentinels name, or the
 * node of a cluster that owns the slot of `keyPrefix`. It is authenticated, has its database, and has answered a PING.
 *
 * It is a plain connection in every case, which never reconnects by itself and whose commands run in the order in which
 * they were sent. When a failover or a moved slot makes it useless, its commands are refused (see `translateError`): open
 * another one, which goes where the data is then.
 *
 * @throws RedisUnavailableError where another try may succeed
 * @throws RedisRefusedError, InvalidRedisAddressError where it will not
 */
export async function openClient(target: RedisTarget, options: AbortableOptions = {}): Promise<OpenedClient> {
  const data = target.toData()
  const opened = await connectWritable(data, options.signal)
  const { client } = opened
  try {
    await abortable(client.ping(), options.signal)
    return { client, node: opened.node, version: opened.version }
  } catch (error) {
    discard(client)
    options.signal?.throwIfAborted()
    throw translateError(data.address, error)
  }
}

async function connectWritable(data: RedisTargetData, signal: AbortSignal | undefined): Promise<ConnectedNode> {
  if (data.kind === 'sentinel') return await findMaster(data, signal)
  if (data.kind === 'cluster') return await findSlotOwner(data, data.nodes, signal)
  const [node] = data.nodes
  if (node === undefined) throw new RedisUnavailableError(data.address, 'not-found')
  const connected = await connectNode(node, data, signal)
  try {
    if (connected.mode === 'sentinel') throw new RedisRefusedError(data.address, 'sentinel')
    if (connected.mode === 'cluster') {
      // As for Python, whose only way to a cluster this is: a prefix that keeps all keys together.
      if (hashTag(data.keyPrefix) === undefined) throw new RedisRefusedError(data.address, 'cluster')
      discard(connected.client)
      return await findSlotOwner(data, data.nodes, signal)
    }
    if (isReplica(connected)) throw new RedisUnavailableError(data.address, 'read-only')
    return connected
  } catch (error) {
    discard(connected.client)
    throw error
  }
}
