import { anySignal, throwIfAborted } from '@celery/promises'
import { RedisUnavailableError } from '../errors.ts'
import { type ConnectedNode, connectNode, discard, isReplica } from './connect-node.ts'
import { isUnavailable, mostTelling } from './most-telling.ts'
import { readReply } from './read-reply.ts'
import { nodeName, type RedisNode } from './redis-node.ts'
import type { RedisTargetData, SentinelSettings } from './redis-target.ts'
import { translateError } from './translate-error.ts'

/**
 * Connects to the primary that the sentinels name. All are asked at once. It ends with the first address that more than
 * half of them give; without a majority, the ones that answered in time are believed by the age of what they know (the
 * epoch, which grows with each failover), and who is named must be a primary.
 */
export async function findMaster(data: RedisTargetData, signal: AbortSignal | undefined): Promise<ConnectedNode> {
  const { sentinel } = data
  if (sentinel === undefined) throw new RedisUnavailableError(data.address, 'no-master')
  const stop = new AbortController()
  using ended = anySignal(signal, stop.signal)
  const { answers, errors } = await collect(
    data.nodes.map((node) => askSentinel(node, data, sentinel, ended.signal)),
    data.nodes.length,
  )
  // Those that were not waited for are not left behind.
  stop.abort()
  throwIfAborted(signal)
  for (const node of inOrder(answers)) {
    try {
      const connected = await connectNode(node, data, signal)
      if (!isReplica(connected)) return connected
      discard(connected.client)
      throw new RedisUnavailableError(data.address, 'failover', `${nodeName(node)} is a replica`)
    } catch (error) {
      throwIfAborted(signal)
      if (!isUnavailable(error)) throw error
      errors.push(error)
    }
  }
  throw mostTelling(errors, () => new RedisUnavailableError(data.address, 'no-master'))
}

interface Answer {
  readonly node: RedisNode
  readonly epoch: number
}

/** Resolves when more than half of them name the same server, or when all have answered or failed. */
function collect(asked: readonly Promise<Answer>[], count: number): Promise<{ answers: Answer[]; errors: unknown[] }> {
  return new Promise((resolve) => {
    const answers: Answer[] = []
    const errors: unknown[] = []
    const look = (): void => {
      const latest = answers.at(-1)
      const agreeing = answers.filter((answer) => latest !== undefined && isSame(answer.node, latest.node))
      if (agreeing.length <= count / 2 && answers.length + errors.length < count) return
      // What comes later, from those that are told to stop, tells nothing.
      resolve({ answers: [...answers], errors: [...errors] })
    }
    for (const one of asked) {
      one
        .then(
          (answer) => answers.push(answer),
          (error) => errors.push(error),
        )
        .finally(look)
    }
  })
}

async function askSentinel(
  node: RedisNode,
  data: RedisTargetData,
  sentinel: SentinelSettings,
  signal: AbortSignal,
): Promise<Answer> {
  const { client } = await connectNode(
    node,
    { ...data, ...sentinel, db: 0, replyTimeoutMs: sentinel.connectTimeoutMs },
    signal,
  )
  try {
    const state = readReply(await client.call('SENTINEL', 'MASTER', sentinel.masterName))
    const problem = problemOf(state, sentinel.minOtherSentinels)
    if (problem !== undefined) {
      throw new RedisUnavailableError(data.address, 'no-master', `sentinel ${nodeName(node)} ${problem}`)
    }
    return {
      node: { host: state.get('ip') ?? '', port: Number(state.get('port')) },
      epoch: Number(state.get('config-epoch') ?? 0),
    }
  } catch (error) {
    throw noMaster(error, node, data)
  } finally {
    discard(client)
  }
}

/**
 * Why the answer of a sentinel is not believed. The flag `disconnected` says nothing: one that has just learned of a new
 * primary is not connected to it yet.
 */
function problemOf(state: ReadonlyMap<string, string>, minOtherSentinels: number): string | undefined {
  const [host = '', port = ''] = [state.get('ip'), state.get('port')]
  if (host === '' || !/^\d+$/.test(port)) return 'answered without an address'
  const flags = (state.get('flags') ?? '').split(',')
  if (flags.includes('s_down') || flags.includes('o_down')) return `says that ${host}:${port} is down`
  const others = Number(state.get('num-other-sentinels') ?? 0)
  if (others >= minOtherSentinels) return undefined
  return `knows of ${others} others, and "min_other_sentinels" is ${minOtherSentinels}`
}

/** "No such master with that name" may come from one sentinel that was set up anew. */
function noMaster(error: unknown, node: RedisNode, data: RedisTargetData): unknown {
  if (!(error instanceof Error) || !/No such master/.test(error.message)) return translateError(data.address, error)
  return new RedisUnavailableError(
    data.address,
    'no-master',
    `sentinel ${nodeName(node)} watches no primary of that name`,
  )
}

/** Each server that was named once, the latest knowledge first. */
function inOrder(answers: readonly Answer[]): readonly RedisNode[] {
  const sorted = [...answers].sort((a, b) => b.epoch - a.epoch).map(({ node }) => node)
  return sorted.filter((node, index) => sorted.findIndex((other) => isSame(node, other)) === index)
}

function isSame(a: RedisNode, b: RedisNode): boolean {
  return nodeName(a) === nodeName(b)
}
