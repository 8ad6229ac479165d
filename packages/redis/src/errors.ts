import { CeleryError } from '@celery/promises'

export type RedisUnavailableReason =
  | 'refused'
  | 'not-found'
  | 'closed'
  | 'timeout'
  | 'loading'
  | 'read-only'
  | 'failover'
  | 'cluster-down'
  | 'moved'
  | 'too-many-clients'
  | 'cannot-persist'
  | 'busy'
  | 'no-master'
  | 'descriptors'

const unavailableAdvice: Readonly<Record<RedisUnavailableReason, string>> = {
  refused: 'refused the connection: check that it runs and listens there',
  'not-found': 'was not found: check the name of the host, or the path of the socket',
  closed: 'closed the connection',
  timeout: 'did not answer in time: check the network, and what keeps the server busy',
  loading: 'is loading its data: it will answer when that is done',
  'read-only': 'is a replica and takes no writes: connect to the primary',
  failover: 'is changing its role, or has lost its primary or too many replicas: wait for the failover to end',
  'cluster-down': 'belongs to a cluster that is down: bring back the nodes that are missing',
  moved: 'no longer holds these keys: they are on another node of the cluster, or on their way there',
  'too-many-clients': 'has no room for another client: raise "maxclients", or close some',
  'cannot-persist': 'takes no writes because it cannot save to disk: look at its log and the space on its disk',
  busy: 'is busy with a slow script: wait, or end it with SCRIPT KILL',
  'no-master': 'has no primary to offer: check the sentinels and "master_name"',
  descriptors: 'cannot be reached because this process has no file descriptor left: raise the limit, or close some',
}

/**
 * The connection is of no use any more, or there was none. Another one, opened after a pause, may work. Whether the
 * commands without an answer were carried out is not known.
 */
export class RedisUnavailableError extends CeleryError {
  override readonly name = 'RedisUnavailableError'
  readonly code = 'ERR_CELERY_REDIS_UNAVAILABLE'
  /** Where it was, with the password masked. */
  readonly address: string
  readonly reason: RedisUnavailableReason

  /** @param detail - What the server or the system said. */
  constructor(address: string, reason: RedisUnavailableReason, detail?: string, options?: ErrorOptions) {
    super(`Redis at ${address} ${unavailableAdvice[reason]}${said(detail)}`, options)
    this.address = address
    this.reason = reason
  }
}

/** The server has no memory for what was to be written. Nothing was; the connection is good. Try again later. */
export class RedisFullError extends CeleryError {
  override readonly name = 'RedisFullError'
  readonly code = 'ERR_CELERY_REDIS_FULL'
  /** Where it was, with the password masked. */
  readonly address: string

  constructor(address: string, options?: ErrorOptions) {
    super(
      `Redis at ${address} is full: let workers empty the queues, raise "maxmemory", or let results expire sooner`,
      options,
    )
    this.address = address
  }
}

export type RedisRefusedReason =
  | 'password-missing'
  | 'password-wrong'
  | 'password-unwanted'
  | 'permission'
  | 'database'
  | 'wrong-type'
  | 'cross-slot'
  | 'cluster'
  | 'sentinel'
  | 'certificate'
  | 'tls'
  | 'protected'
  | 'socket-permission'
  | 'version'

const refusedAdvice: Readonly<Record<RedisRefusedReason, string>> = {
  'password-missing':
    'wants a password, and none was given: write redis://:PASSWORD@host or redis://USER:PASSWORD@host, or set "username" and "password" in the options',
  'password-wrong':
    'does not know this user and password: correct them where the URL or the option "password" is set, or enable the user with ACL SETUSER',
  'password-unwanted': 'has no password for this user: take it out of the URL, or set one with "requirepass"',
  permission: 'does not permit this',
  database:
    'has no database of this number: correct the number after the host, or raise "databases"; a cluster has only 0',
  'wrong-type': 'holds something else under a key that is needed: choose another database or "global_keyprefix"',
  'cross-slot': 'is a cluster, where all keys must share a slot: write a "global_keyprefix" such as "{celery}"',
  cluster: 'is a node of a cluster: write redis+cluster://, or a "global_keyprefix" with a hash tag such as "{celery}"',
  sentinel: 'is a Sentinel: write sentinel:// and name the primary in "master_name"',
  certificate:
    'has a certificate that is not trusted: give the authority\'s in "ssl_ca_certs", or correct the host name',
  tls: 'does not speak TLS, or not a version in common: write redis:// for a port without it',
  protected: 'is in protected mode: give it a password, or bind it to an address',
  'socket-permission': 'has a socket that this user may not use: check the permissions of the file and its folder',
  version: 'is too old: Redis 6.2 is the least',
}

/** The server says no, and will say no again until somebody changes the settings here or there. */
export class RedisRefusedError extends CeleryError {
  override readonly name = 'RedisRefusedError'
  readonly code = 'ERR_CELERY_REDIS_REFUSED'
  /** Where it was, with the password masked. */
  readonly address: string
  readonly reason: RedisRefusedReason
  /** Where an ACL rule is missing, that rule: `+lpush`, `~<key>` or `&<channel>`. */
  readonly right: string | undefined

  /** @param detail - What the server or the system said. */
  constructor(
    address: string,
    reason: RedisRefusedReason,
    detail?: string,
    options?: ErrorOptions & { readonly right?: string | undefined },
  ) {
    const right = options?.right
    const grant = right === undefined ? '' : `: add the rule "${right}" to the user with ACL SETUSER`
    super(`Redis at ${address} ${refusedAdvice[reason]}${grant}${said(detail)}`, options)
    this.address = address
    this.reason = reason
    this.right = right
  }
}

/** The server answered a command with an error of that command alone. The connection is good. */
export class RedisReplyError extends CeleryError {
  override readonly name = 'RedisReplyError'
  readonly code = 'ERR_CELERY_REDIS_REPLY'
  /** Where it was, with the password masked. */
  readonly address: string
  /** The first word of the answer, `ERR` or `NOSCRIPT` for example. */
  readonly kind: string

  constructor(address: string, kind: string, text: string, command: string | undefined, options?: ErrorOptions) {
    super(`Redis at ${address} answered ${command ?? 'a command'} with an error: ${text}`, options)
    this.address = address
    this.kind = kind
  }
}

/** A Redis URL or an option that cannot be used. Nothing was opened. */
export class InvalidRedisAddressError extends CeleryError {
  override readonly name = 'InvalidRedisAddressError'
  readonly code = 'ERR_CELERY_INVALID_REDIS_ADDRESS'
  /** With the password masked. */
  readonly address: string
  readonly reason: string
  /** Where an option is to blame, its name as it was given, in the URL's query or beside the URL. */
  readonly option: string | undefined

  /** @param address - With the password masked. */
  constructor(address: string, reason: string, options?: ErrorOptions & { readonly option?: string }) {
    super(`Redis at ${address} cannot be used: ${reason}`, options)
    this.address = address
    this.reason = reason
    this.option = options?.option
  }
}

/** What an error says, for a text that names the server at `address` itself. */
export function withoutAddress(address: string, { message }: Error): string {
  const beginning = `Redis at ${address} `
  return message.startsWith(beginning) ? `it ${message.slice(beginning.length)}` : message
}

function said(detail: string | undefined): string {
  return detail === undefined || detail === '' ? '' : ` (${detail})`
}
