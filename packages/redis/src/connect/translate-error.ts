import { CeleryError } from '@celery/promises'
import {
  RedisFullError,
  RedisRefusedError,
  type RedisRefusedReason,
  RedisReplyError,
  RedisUnavailableError,
  type RedisUnavailableReason,
} from '../errors.ts'

/**
 * Gives an error of the client library the class by which callers handle it. The original is not kept as the cause: it carries the arguments of the command, among which are passwords and the payloads of tasks.
 * @param address - With the password masked.
 * @param whenClosed - What it may mean that the connection was closed just now.
 */
export function translateError(address: string, error: unknown, whenClosed?: string): Error {
  if (CeleryError.is(error)) return error
  if (!(error instanceof Error)) return new RedisUnavailableError(address, 'closed', String(error))
  if (error.name === 'AbortError' && !isClosing(error.message)) return error
  if (error.name === 'ReplyError') return translateReply(address, error.message, commandOf(error))
  return translateSystemError(address, error, whenClosed)
}

/** What the server said, as an error; `command` is the one that it was said to. */
export function translateReply(address: string, reply: string, command: string | undefined): Error {
  const text = withoutPlace(withoutArguments(reply))
  const kind = kindOf(text)
  if (kind === 'OOM') return new RedisFullError(address)
  if (kind === 'NOPERM' || forbiddenInScript.test(text)) {
    return new RedisRefusedError(address, 'permission', text, { right: missingRight(text, command) })
  }
  const unavailable = unavailableByKind.get(kind) ?? unavailableByText.find(([pattern]) => pattern.test(text))?.[1]
  if (unavailable !== undefined) return new RedisUnavailableError(address, unavailable, text)
  const refused = refusedByKind.get(kind) ?? refusedByText.find(([pattern]) => pattern.test(text))?.[1]
  if (refused !== undefined) return new RedisRefusedError(address, refused, isPlain(refused) ? undefined : text)
  return new RedisReplyError(address, kind, text, command)
}

/** "unknown command 'X', with args beginning with: …" repeats what was sent. */
function withoutArguments(text: string): string {
  return text.replace(/,? with args beginning with:.*$/s, '')
}

/** Where in a script of ours it was tells nobody what to do. */
function withoutPlace(text: string): string {
  return text.replace(/ script: [0-9a-f]+, on @user_script:\d+\.?$/, '')
}

/**
 * Before Redis 7 an error inside a script is wrapped: `ERR Error running script (…): @user_script:1: -OOM command …`, and
 * without the beginning where the script itself has caught it.
 */
function kindOf(text: string): string {
  const wrapped = /^(?:ERR Error running script|@user_script).*?-([A-Z]{2,}) /s.exec(text)
  return wrapped?.[1] ?? /^[A-Z]+/.exec(text)?.[0] ?? 'ERR'
}

const unavailableByKind: ReadonlyMap<string, RedisUnavailableReason> = new Map([
  ['LOADING', 'loading'],
  ['READONLY', 'read-only'],
  ['MASTERDOWN', 'failover'],
  ['UNBLOCKED', 'failover'],
  ['NOREPLICAS', 'failover'],
  ['NOMASTERLINK', 'failover'],
  ['CLUSTERDOWN', 'cluster-down'],
  ['TRYAGAIN', 'moved'],
  ['MOVED', 'moved'],
  ['ASK', 'moved'],
  ['MISCONF', 'cannot-persist'],
  ['BUSY', 'busy'],
  // What a transaction was thrown away for was said before, to one of its commands.
  ['EXECABORT', 'failover'],
])

const unavailableByText: readonly (readonly [RegExp, RedisUnavailableReason])[] = [
  [/max number of clients/, 'too-many-clients'],
]

const refusedByKind: ReadonlyMap<string, RedisRefusedReason> = new Map([
  ['NOAUTH', 'password-missing'],
  ['WRONGPASS', 'password-wrong'],
  ['WRONGTYPE', 'wrong-type'],
  ['CROSSSLOT', 'cross-slot'],
  ['DENIED', 'protected'],
  ['NOPROTO', 'version'],
])

const refusedByText: readonly (readonly [RegExp, RedisRefusedReason])[] = [
  [/without any password configured|no password is set/, 'password-unwanted'],
  [/invalid password/, 'password-wrong'],
  [/DB index|SELECT is not allowed in cluster mode/, 'database'],
]

/** What the server says of these adds nothing but its own ways of giving a password, none of which is ours. */
function isPlain(reason: RedisRefusedReason): boolean {
  return reason === 'password-missing' || reason === 'password-wrong' || reason === 'password-unwanted'
}

const forbiddenInScript = /user executing the script can't/

/** The ACL rule that would permit it, as far as the server tells. */
function missingRight(text: string, command: string | undefined): string | undefined {
  const named = /run the '([^']+)' command/.exec(text)?.[1]
  if (named !== undefined) return `+${named}`
  if (/\bkeys?\b/.test(text)) return '~<key>'
  if (/\bchannels?\b/.test(text)) return '&<channel>'
  // A script is refused as a whole: which of its commands it was, the server keeps to itself.
  return command === undefined || forbiddenInScript.test(text) ? undefined : `+${command}`
}

function translateSystemError(address: string, error: Error, whenClosed: string | undefined): Error {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  const detail = code === '' || error.message.includes(code) ? error.message : `${code}: ${error.message}`
  if (certificateCodes.test(code)) return new RedisRefusedError(address, 'certificate', detail)
  if (/^(ERR_SSL_|EPROTO$)/.test(code)) return new RedisRefusedError(address, 'tls', detail)
  if (code === 'EACCES' || code === 'EPERM') return new RedisRefusedError(address, 'socket-permission', detail)
  const reason = reasonByCode.get(code) ?? (/timed? ?out/i.test(error.message) ? 'timeout' : undefined)
  if (reason !== undefined) return new RedisUnavailableError(address, reason, detail)
  const known = [isClosing(error.message) ? undefined : detail, whenClosed].filter((text) => text !== undefined)
  return new RedisUnavailableError(address, 'closed', known.join('; '))
}

const reasonByCode: ReadonlyMap<string, RedisUnavailableReason> = new Map([
  ['ECONNREFUSED', 'refused'],
  ['ENOENT', 'not-found'],
  ['ENOTFOUND', 'not-found'],
  ['EAI_AGAIN', 'not-found'],
  ['ETIMEDOUT', 'timeout'],
  ['EHOSTUNREACH', 'timeout'],
  ['ENETUNREACH', 'timeout'],
  ['EMFILE', 'descriptors'],
  ['ENFILE', 'descriptors'],
])

/** Codes of OpenSSL's verification and of Node's own comparison of names. */
const certificateCodes =
  /^(CERT_|CRL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH|ERR_TLS_CERT_)/

/** What ioredis says of commands that a closed connection left behind, and of those that came too late. */
function isClosing(message: string): boolean {
  return /^(Connection is closed|Stream isn't writeable|Command aborted due to connection close)/.test(message)
}

function commandOf(error: Error): string | undefined {
  if (!('command' in error) || typeof error.command !== 'object' || error.command === null) return undefined
  return 'name' in error.command && typeof error.command.name === 'string' ? error.command.name : undefined
}
