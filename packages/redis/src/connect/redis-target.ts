import { InvalidRedisAddressError } from '../errors.ts'
import { checkOptionNames } from './option-names.ts'
import { isRecord, OptionReader } from './option-reader.ts'
import type { RedisAddress } from './redis-address.ts'
import { type RedisNode, readNodes } from './redis-node.ts'
import { defaultTlsSettings, readTlsSettings, type TlsSettings } from './tls-settings.ts'

export type { RedisAddress } from './redis-address.ts'

/**
 * What a URL and its options mean, checked, as plain data: for another thread, which `RedisTarget.from` makes a target of
 * again. Holds the passwords: never print it.
 */
export interface RedisTargetData {
  /** For people: the URL with the password masked. */
  readonly address: string
  readonly kind: 'server' | 'sentinel' | 'cluster'
  /** The server; or the sentinels, or some nodes of the cluster, to ask for it. */
  readonly nodes: readonly RedisNode[]
  readonly username: string | undefined
  readonly password: string | undefined
  readonly db: number
  readonly keyPrefix: string
  readonly tls: TlsSettings | undefined
  readonly clientName: string | undefined
  readonly connectTimeoutMs: number
  readonly replyTimeoutMs: number
  readonly healthCheckIntervalMs: number
  readonly keepAliveMs: number
  readonly sentinel: SentinelSettings | undefined
}

/** How the sentinels are asked. */
export interface SentinelSettings {
  readonly masterName: string
  /** A sentinel that knows of fewer others is not believed. */
  readonly minOtherSentinels: number
  readonly username: string | undefined
  readonly password: string | undefined
  readonly tls: TlsSettings | undefined
  readonly connectTimeoutMs: number
}

/** Where to connect to and how. Shows no password when printed. */
export class RedisTarget {
  readonly #data: RedisTargetData

  private constructor(data: RedisTargetData) {
    this.#data = data
  }

  static from(data: RedisTargetData): RedisTarget {
    return new RedisTarget(data)
  }

  /** For people: the URL with the password masked. */
  get address(): string {
    return this.#data.address
  }

  get kind(): RedisTargetData['kind'] {
    return this.#data.kind
  }

  /** Equal for targets with the same data: where, and which database. No credentials are in it. */
  get identity(): string {
    const { kind, nodes, db, sentinel, keyPrefix } = this.#data
    const places = nodes.map((node) => ('path' in node ? node.path : `${node.host}:${node.port}`)).sort()
    // In a cluster the prefix decides on the slot, and one transaction has one slot. A single server may turn out to be one.
    const tag = hashTag(keyPrefix)
    const part = tag === undefined ? String(db) : `${db}/${tag}`
    return [kind, places.join(','), ...(sentinel === undefined ? [] : [sentinel.masterName]), part].join('/')
  }

  get db(): number {
    return this.#data.db
  }

  /**
   * What all keys and channels begin with: `global_keyprefix`, and in a cluster, where that holds no hash tag, `{celery}`
   * in front of it, so that all of them share one slot.
   */
  get keyPrefix(): string {
    return this.#data.keyPrefix
  }

  /** Milliseconds for finding, connecting and greeting each server that is asked. */
  get connectTimeoutMs(): number {
    return this.#data.connectTimeoutMs
  }

  /** Milliseconds within which every command is answered; else the connection has failed. */
  get replyTimeoutMs(): number {
    return this.#data.replyTimeoutMs
  }

  /** Milliseconds of rest after which a connection is asked whether it is still good; 0 for never. */
  get healthCheckIntervalMs(): number {
    return this.#data.healthCheckIntervalMs
  }

  /** Everything, with the passwords: for opening, and for `structuredClone`. Never print it. */
  toData(): RedisTargetData {
    return this.#data
  }

  toString(): string {
    return this.address
  }

  toJSON(): string {
    return this.address
  }
}

/**
 * Reads a URL and its options (`broker_transport_options`, `result_backend_transport_options`), which have Celery's names
 * and units: seconds. What stands in the URL's query wins.
 *
 * | option | default | |
 * | --- | --- | --- |
 * | `socket_connect_timeout` | 4 | for each server that is asked |
 * | `socket_timeout` | 10 | for every answer |
 * | `health_check_interval` | 15 | |
 * | `socket_keepalive_options` | `{ TCP_KEEPIDLE: 30 }` | keep-alive itself is always on |
 * | `client_name` | | as `CLIENT LIST` shows it |
 * | `username`, `password`, `virtual_host` | | where the URL has none |
 * | `ssl`, `ssl_cert_reqs`, `ssl_ca_certs`, `ssl_certfile`, `ssl_keyfile`, `ssl_password`, `ssl_check_hostname` | verify all | `rediss://` |
 * | `master_name`, `min_other_sentinels`, `sentinel_kwargs`, `sentinels` | `min_other_sentinels` 0 | `sentinel://` |
 * | `cluster` | `false` | as `redis+cluster://` |
 * | `global_keyprefix` | | see `RedisTarget.keyPrefix` |
 *
 * Of the rest, what a broker or a store reads for itself and what is known of redis-py or of other brokers is passed over.
 * @throws InvalidRedisAddressError also for a name that nobody knows
 */
export function readRedisTarget(address: RedisAddress, options: Readonly<Record<string, unknown>> = {}): RedisTarget {
  const masked = address.toString()
  const sources = [address.query, options]
  // Without the query: a value whose name has a slip in it may be a password that is not masked.
  for (const source of sources) checkOptionNames(masked.replace(/\?.*$/s, ''), source)
  const reader = new OptionReader(masked, sources)
  const scheme = readScheme(masked, address.scheme)
  const isCluster = scheme.kind === 'cluster' || (scheme.kind === 'server' && reader.boolean('cluster') === true)
  const hasSentinels =
    scheme.kind === 'sentinel' || (scheme.kind === 'server' && reader.value('sentinels') !== undefined)
  const kind = isCluster ? 'cluster' : hasSentinels ? 'sentinel' : scheme.kind
  const tls = readTlsSettings(masked, sources)
  if (tls !== undefined && !scheme.isSecure && Object.keys(address.query).some((name) => name.startsWith('ssl'))) {
    throw new InvalidRedisAddressError(masked, 'it has settings for TLS and a scheme without: write rediss://')
  }
  if (scheme.isSocket && tls !== undefined) {
    throw new InvalidRedisAddressError(masked, 'a socket in the file system takes no TLS: take the settings out')
  }
  const connectTimeoutMs = reader.milliseconds('socket_connect_timeout', 4_000)
  const prefix = reader.text('global_keyprefix') ?? ''
  return RedisTarget.from({
    address: masked,
    kind,
    nodes: readNodes(address, reader, kind, scheme.isSocket),
    username: emptyAsNone(address.username) ?? reader.text('username'),
    password: address.password ?? reader.text('password'),
    db: readDatabase(address, reader, kind, scheme.isSocket),
    keyPrefix: kind === 'cluster' && hashTag(prefix) === undefined ? `{celery}${prefix}` : prefix,
    tls: tls ?? (scheme.isSecure ? defaultTlsSettings : undefined),
    clientName: reader.text('client_name'),
    connectTimeoutMs,
    replyTimeoutMs: reader.milliseconds('socket_timeout', 10_000),
    healthCheckIntervalMs: reader.milliseconds('health_check_interval', 15_000),
    keepAliveMs: readKeepAlive(reader),
    sentinel: kind === 'sentinel' ? readSentinelSettings(masked, reader, connectTimeoutMs) : undefined,
  })
}

/** What is hashed of a key in a cluster: the text between the first `{` and the next `}`, if there is any. */
export function hashTag(key: string): string | undefined {
  return /^[^{]*\{([^}]+)\}/.exec(key)?.[1]
}

interface Scheme {
  readonly kind: RedisTargetData['kind']
  readonly isSecure: boolean
  readonly isSocket: boolean
}

function readScheme(address: string, scheme: string): Scheme {
  const known = schemes.get(scheme)
  if (known !== undefined) return known
  const list = [...schemes.keys()].map((name) => `${name}://`).join(', ')
  throw new InvalidRedisAddressError(address, `its scheme is none of ${list}`)
}

const schemes: ReadonlyMap<string, Scheme> = new Map([
  ['redis', { kind: 'server', isSecure: false, isSocket: false }],
  ['rediss', { kind: 'server', isSecure: true, isSocket: false }],
  ['redis+socket', { kind: 'server', isSecure: false, isSocket: true }],
  ['socket', { kind: 'server', isSecure: false, isSocket: true }],
  ['unix', { kind: 'server', isSecure: false, isSocket: true }],
  ['sentinel', { kind: 'sentinel', isSecure: false, isSocket: false }],
  ['redis+cluster', { kind: 'cluster', isSecure: false, isSocket: false }],
  ['rediss+cluster', { kind: 'cluster', isSecure: true, isSocket: false }],
])

/** The path of a socket is no database: there it stands in the query, as kombu's `virtual_host` or redis-py's `db`. */
function readDatabase(
  address: RedisAddress,
  reader: OptionReader,
  kind: RedisTargetData['kind'],
  isSocket: boolean,
): number {
  const path = isSocket ? '' : address.path.replace(/^\/+|\/+$/g, '')
  const text = path === '' ? String(reader.value('virtual_host') ?? reader.value('db') ?? '0').replace(/^\//, '') : path
  if (kind === 'cluster' && text !== '0') {
    throw new InvalidRedisAddressError(address.toString(), 'a cluster has only the database 0: take the number out')
  }
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new InvalidRedisAddressError(
    address.toString(),
    'the database is not a number: write for example redis://host/0',
  )
}

function readKeepAlive(reader: OptionReader): number {
  const seconds = reader.record('socket_keepalive_options')?.['TCP_KEEPIDLE']
  return typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : 30_000
}

function readSentinelSettings(address: string, reader: OptionReader, connectTimeoutMs: number): SentinelSettings {
  const masterName = reader.text('master_name')
  if (masterName === undefined || masterName === '') {
    throw new InvalidRedisAddressError(
      address,
      'name the primary that the sentinels watch, in the option "master_name"',
    )
  }
  const given = reader.value('sentinel_kwargs') ?? {}
  if (!isRecord(given)) throw reader.invalid('sentinel_kwargs', 'is not an object')
  const own = new OptionReader(address, [given])
  return {
    masterName,
    minOtherSentinels: reader.number('min_other_sentinels') ?? 0,
    username: own.text('username'),
    password: own.text('password'),
    tls: readTlsSettings(address, [given]),
    connectTimeoutMs: own.milliseconds('socket_connect_timeout', connectTimeoutMs),
  }
}

function emptyAsNone(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}
