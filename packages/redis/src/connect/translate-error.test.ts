import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { translateError } from './translate-error.ts'

const address = 'redis://me:**@h'

/** An error reply as the client library makes it: with the command and all that was sent. */
function reply(text: string, name = 'evalsha'): Error {
  return Object.assign(new Error(text), { name: 'ReplyError', command: { name, args: ['planted'] } })
}

function system(code: string, message: string): Error {
  return Object.assign(new Error(message), { code })
}

const unavailable = 'ERR_CELERY_REDIS_UNAVAILABLE'
const refused = 'ERR_CELERY_REDIS_REFUSED'

describe('an error of the client library', () => {
  test.each([
    ['LOADING Redis is loading the dataset in memory', 'loading'],
    ["READONLY You can't write against a read only replica.", 'read-only'],
    ["READONLY You can't write against a read only replica. script: 4ca2, on @user_script:1.", 'read-only'],
    [
      "ERR Error running script (call to f_4ca2): @user_script:1: @user_script: 1: -READONLY You can't write",
      'read-only',
    ],
    ["MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", 'failover'],
    ['UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)', 'failover'],
    ['NOREPLICAS Not enough good replicas to write.', 'failover'],
    ['EXECABORT Transaction discarded because of previous errors.', 'failover'],
    ['CLUSTERDOWN The cluster is down', 'cluster-down'],
    ['TRYAGAIN Multiple keys request during rehashing of slot', 'moved'],
    ['MOVED 3999 127.0.0.1:6381', 'moved'],
    ['ASK 3999 127.0.0.1:6381', 'moved'],
    [
      'MISCONF Redis is configured to save RDB snapshots, but it is currently not able to persist on disk.',
      'cannot-persist',
    ],
    ['BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.', 'busy'],
    ['ERR max number of clients reached', 'too-many-clients'],
  ])('"%s" asks for another connection', (text, reason) => {
    expect(translateError(address, reply(text))).toMatchObject({ code: unavailable, reason, address })
  })

  test.each([
    ["OOM command not allowed when used memory > 'maxmemory'."],
    ["OOM command not allowed when used memory > 'maxmemory'. script: 4ca2, on @user_script:1."],
    ['ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -OOM command not allowed'],
    ['@user_script: 12: -OOM command not allowed when used memory'],
  ])('"%s" says that it is full', (text) => {
    expect(translateError(address, reply(text))).toMatchObject({ code: 'ERR_CELERY_REDIS_FULL', address })
  })

  test.each([
    ['NOAUTH Authentication required.', 'password-missing'],
    ['NOAUTH HELLO must be called with the client already authenticated', 'password-missing'],
    ['WRONGPASS invalid username-password pair or user is disabled.', 'password-wrong'],
    ['ERR AUTH <password> called without any password configured for the default user.', 'password-unwanted'],
    ['WRONGTYPE Operation against a key holding the wrong kind of value', 'wrong-type'],
    ["CROSSSLOT Keys in request don't hash to the same slot", 'cross-slot'],
    ['ERR DB index is out of range', 'database'],
    ['ERR SELECT is not allowed in cluster mode', 'database'],
    ['DENIED Redis is running in protected mode because protected mode is enabled', 'protected'],
  ])('"%s" says what is to be changed', (text, reason) => {
    expect(translateError(address, reply(text))).toMatchObject({ code: refused, reason, address })
  })

  test.each([
    [
      'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option',
    ],
    ['WRONGPASS invalid username-password pair or user is disabled.'],
    ['ERR AUTH <password> called without any password configured for the default user. Are you sure?'],
  ])('"%s" is told in our words, with what to do', (text) => {
    const { message } = translateError(address, reply(text))
    expect(message).toMatch(/password.*: .*(write|correct|take)/)
    for (const word of ['HELLO', 'AUTH', 'WRONGPASS']) expect(message).not.toContain(word)
  })

  test.each([
    ["NOPERM this user has no permissions to run the 'lpush' command", '+lpush'],
    ["NOPERM User me has no permissions to run the 'config|get' command", '+config|get'],
    ["NOPERM this user has no permissions to run the 'lpush' command or its subcommand", '+lpush'],
    ['NOPERM this user has no permissions to access one of the keys used as arguments', '~<key>'],
    ['NOPERM No permissions to access a key', '~<key>'],
    ['NOPERM this user has no permissions to access one of the channels used as arguments', '&<channel>'],
    ['NOPERM something new', '+evalsha'],
    ["ERR The user executing the script can't run this command or subcommand script: 4ca2", undefined],
    ["ERR The user executing the script can't access at least one of the keys mentioned in the command", '~<key>'],
  ])('"%s" names the right that is missing', (text, right) => {
    const error = translateError(address, reply(text))
    expect(error).toMatchObject({ code: refused, reason: 'permission', right })
    if (right !== undefined) expect(error.message).toContain(`"${right}"`)
  })

  test('an error of the command alone stays one, and says which command', () => {
    expect(translateError(address, reply('NOSCRIPT No matching script. Please use EVAL.'))).toMatchObject({
      code: 'ERR_CELERY_REDIS_REPLY',
      kind: 'NOSCRIPT',
    })
    expect(translateError(address, reply('ERR syntax error', 'set')).message).toContain('answered set with')
  })

  test.each([
    [system('ECONNREFUSED', 'connect ECONNREFUSED 127.0.0.1:1'), unavailable, 'refused'],
    [system('ENOTFOUND', 'getaddrinfo ENOTFOUND h'), unavailable, 'not-found'],
    [system('ENOENT', 'connect ENOENT /run/redis.sock'), unavailable, 'not-found'],
    [system('ETIMEDOUT', 'connect ETIMEDOUT'), unavailable, 'timeout'],
    [system('ECONNRESET', 'read ECONNRESET'), unavailable, 'closed'],
    [system('EMFILE', 'connect EMFILE'), unavailable, 'descriptors'],
    [new Error("Socket timeout. Expecting data, but didn't receive any in 10ms."), unavailable, 'timeout'],
    [new Error('Command timed out'), unavailable, 'timeout'],
    [new Error('Connection is closed.'), unavailable, 'closed'],
    [new Error("Stream isn't writeable and enableOfflineQueue options is false"), unavailable, 'closed'],
    ['thrown text', unavailable, 'closed'],
    [system('EACCES', 'connect EACCES /run/redis.sock'), refused, 'socket-permission'],
    [system('DEPTH_ZERO_SELF_SIGNED_CERT', 'self-signed certificate'), refused, 'certificate'],
    [
      system('ERR_TLS_CERT_ALTNAME_INVALID', "Hostname/IP does not match certificate's altnames"),
      refused,
      'certificate',
    ],
    [system('CERT_HAS_EXPIRED', 'certificate has expired'), refused, 'certificate'],
    [system('ERR_SSL_WRONG_VERSION_NUMBER', 'wrong version number'), refused, 'tls'],
    [system('EPROTO', 'write EPROTO'), refused, 'tls'],
  ])('%s', (error, code, reason) => {
    expect(translateError(address, error)).toMatchObject({ code, reason })
  })

  test('that was translated stays as it is', () => {
    const error = translateError(address, reply('LOADING Redis is loading'))
    expect(translateError('redis://other', error)).toBe(error)
  })

  test('shows nothing of what was sent', () => {
    const texts = [
      "ERR unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'default' 'planted'",
      'WRONGPASS invalid username-password pair or user is disabled.',
      'ERR syntax error',
      'NOPERM something new',
    ]
    for (const text of texts) {
      expect(inspect(translateError(address, reply(text)), { depth: 9, showHidden: true })).not.toContain('planted')
    }
  })
})
