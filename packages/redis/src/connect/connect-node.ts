import { throwIfAborted, withDeadline } from '@celery/promises'
import { Redis, type RedisOptions } from 'ioredis'
import { RedisRefusedError, RedisUnavailableError } from '../errors.ts'
import { readReply } from './read-reply.ts'
import { nodeName, type RedisNode } from './redis-node.ts'
import { type TlsSettings, tlsConnectionOptions } from './tls-settings.ts'
import { translateError } from './translate-error.ts'
import { warnIfUnverified } from './warn-unverified.ts'

/** What it takes to connect to one server. */
export interface NodeSettings {
  readonly address: string
  readonly username: string | undefined
  readonly password: string | undefined
  readonly db: number
  readonly tls: TlsSettings | undefined
  readonly clientName: string | undefined
  readonly connectTimeoutMs: number
  readonly replyTimeoutMs: number
  readonly keepAliveMs: number
}

/** A connection that was greeted, and what the server said of itself. */
export interface ConnectedNode {
  readonly client: Redis
  /** `host:port`, or the path of the socket. */
  readonly node: string
  /** `standalone`, `sentinel` or `cluster`. */
  readonly mode: string
  /** `master` or `replica`. */
  readonly role: string
  /** `7.0.15` for example. */
  readonly version: string
}

/**
 * Connects to one server and says hello. The connection never reconnects by itself; whoever gets it listens to its `end`.
 * @throws RedisUnavailableError, RedisRefusedError, InvalidRedisAddressError
 */
export async function connectNode(
  node: RedisNode,
  settings: NodeSettings,
  signal: AbortSignal | undefined,
): Promise<ConnectedNode> {
  throwIfAborted(signal)
  warnIfUnverified(settings.address, settings.tls)
  const place = describe(settings.address, node)
  const client = new Redis(await clientOptions(node, settings))
  // Without a listener the library prints errors itself. Each of them also rejects a command or ends the connection.
  let failure: unknown
  client.on('error', (error) => {
    failure ??= error
  })
  try {
    return await withDeadline(
      greet(client, node, settings),
      settings.connectTimeoutMs === 0 ? Number.POSITIVE_INFINITY : settings.connectTimeoutMs,
      () => new RedisUnavailableError(place, 'timeout', lateness(settings)),
      { signal },
    )
  } catch (error) {
    discard(client)
    // The reason of an abort is the caller's own.
    throwIfAborted(signal)
    throw translateError(place, failure ?? error, hangingUp(node, settings))
  }
}

/** Ends a connection at once: by itself the library waits two seconds for a server that may be gone. */
export function discard(client: Redis): void {
  client.disconnect()
  client.stream?.destroy()
}

/** A role that nobody has heard of is not held against a server that only speaks the protocol. */
export function isReplica({ role }: ConnectedNode): boolean {
  return role === 'replica' || role === 'slave'
}

/**
 * The library's own handshake takes a server that wants no password for one that does not speak RESP3, and goes on. So hello
 * is said once more, which also tells what kind of server it is; commands that need a permission could not.
 */
async function greet(client: Redis, node: RedisNode, settings: NodeSettings): Promise<ConnectedNode> {
  await client.connect()
  const [hello] = await Promise.all([
    client.call('HELLO', '3'),
    settings.db === 0 ? undefined : client.select(settings.db),
  ])
  const greeting = readReply(hello)
  const version = greeting.get('version') ?? ''
  if (isOlder(version, 6, 2)) throw new RedisRefusedError(settings.address, 'version', `it is ${version}`)
  return { client, node: nodeName(node), mode: greeting.get('mode') ?? '', role: greeting.get('role') ?? '', version }
}

/** Servers that speak the protocol and count versions in another way pass. */
function isOlder(version: string, major: number, minor: number): boolean {
  const match = /^(\d+)\.(\d+)\./.exec(version)
  if (match === null) return false
  const [actualMajor, actualMinor] = [Number(match[1]), Number(match[2])]
  return actualMajor < major || (actualMajor === major && actualMinor < minor)
}

async function clientOptions(
  node: RedisNode,
  settings: NodeSettings,
): Promise<RedisOptions & { replyMapping: 'legacy' }> {
  const { username, password, clientName, tls } = settings
  return {
    ...node,
    lazyConnect: true,
    // Whoever holds the connection replaces it as a whole; see `RedisClient`.
    retryStrategy: null,
    enableOfflineQueue: false,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // INFO, which a user may not be permitted; a server that loads answers PING with LOADING.
    enableReadyCheck: false,
    disableClientInfo: true,
    replyMapping: 'legacy',
    connectTimeout: settings.connectTimeoutMs,
    keepAlive: settings.keepAliveMs,
    ...(settings.replyTimeoutMs === 0 ? {} : { socketTimeout: settings.replyTimeoutMs }),
    ...(username === undefined ? {} : { username }),
    // A user without a password has an empty one.
    ...(password === undefined && username === undefined ? {} : { password: password ?? '' }),
    ...(clientName === undefined ? {} : { connectionName: clientName }),
    ...(tls === undefined ? {} : { tls: await tlsConnectionOptions(settings.address, tls) }),
  }
}

/** A server without TLS waits for the end of what it takes for a command. */
function lateness({ address, connectTimeoutMs, tls }: NodeSettings): string {
  const time = `${connectTimeoutMs} ms to connect`
  if (tls === undefined) return time
  const scheme = schemeOf(address)
  const remedy = scheme.startsWith('rediss') ? `write ${scheme.replace('rediss', 'redis')}` : 'leave out "ssl"'
  return `${time}; a port without TLS would be as silent: for one, ${remedy}`
}

/** A server with TLS hangs up on whoever says hello without. A socket in the file system has none. */
function hangingUp(node: RedisNode, { address, tls }: NodeSettings): string | undefined {
  if (tls !== undefined || 'path' in node) return undefined
  const scheme = schemeOf(address)
  // There is no scheme for sentinels with TLS, and theirs is not that of the servers.
  const remedy = scheme.startsWith('redis')
    ? `write ${scheme.replace('redis', 'rediss')}`
    : 'set "ssl", or that in "sentinel_kwargs"'
  return `a port with TLS would do that: for one, ${remedy}`
}

/** With its slashes, as it stands in front of `address`. */
function schemeOf(address: string): string {
  return /^[^:]*:\/\//.exec(address)?.[0] ?? ''
}

/** The URL, and the server behind it where that is another one: a sentinel's primary, a node of a cluster. */
function describe(address: string, node: RedisNode): string {
  const name = nodeName(node)
  return address.includes(name) ? address : `${address} (${name})`
}
