import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Certificates, makeCertificates } from './certificates.ts'
import { ProcessStartError } from './errors.ts'
import { findExecutable } from './find-executable.ts'
import { freePort } from './free-port.ts'
import { GuardedProcess } from './guarded-process.ts'
import { type RedisReply, sendRedisCommands } from './redis-command.ts'
import { requireServer } from './servers.ts'

export interface RedisOptions {
  /** Write every command to disk before it is answered, so that data survives {@link RedisServer.kill}. @defaultValue `false` */
  readonly appendOnly?: boolean | undefined
  /** Clients must send it; it becomes part of the URL. */
  readonly password?: string | undefined
  /**
   * Rules of users as `ACL SETUSER` takes them, for example `['alice on >secret ~* +@all']`. The user `default` stays as it
   * is unless it is among them.
   */
  readonly acl?: readonly string[] | undefined
  /** Listen on a port with TLS as well. Needs OpenSSL. @defaultValue `false` */
  readonly tls?: boolean | undefined
  /** Listen on a socket in the file system as well. @defaultValue `false` */
  readonly unixSocket?: boolean | undefined
  /** Further settings as `redis-server` takes them, for example `['--maxmemory', '64mb']`. */
  readonly args?: readonly string[] | undefined
}

/** A private Redis with a data folder of its own, on a free loopback port. */
export interface RedisServer extends AsyncDisposable {
  /** `redis://[:password@]127.0.0.1:port/0`. The same after a restart. */
  readonly url: string
  readonly host: string
  readonly port: number
  /** With `tls`. */
  readonly tls: RedisTls | undefined
  /** Path of the socket in the file system, with `unixSocket`. */
  readonly socketPath: string | undefined
  /** Of the process that runs now, or ran last. */
  readonly pid: number
  /** Ends it as a crash would, with SIGKILL. */
  kill(): Promise<void>
  /** Starts it again with the same port, folder and settings; stops it first if it still runs. */
  restart(): Promise<void>
  /** Freezes it: connections stay open and nothing is answered, until {@link RedisServer.resume}. */
  pause(): void
  resume(): void
  /** Runs one command as the user `default`, over a connection of its own, and resolves to the reply. */
  send(...command: readonly string[]): Promise<RedisReply>
  /** What the process that runs now, or ran last, has printed. */
  output(): string
  /** Stops it and removes its folder. The same as disposing; safe to call again. */
  close(): Promise<void>
}

export interface RedisTls {
  /** `rediss://[:password@]127.0.0.1:port/0`, without the settings that make a client trust the certificate. */
  readonly url: string
  readonly port: number
  readonly certificates: Certificates
}

const HOST = '127.0.0.1'
const PORT_ATTEMPTS = 10

/**
 * Starts a Redis and resolves when it accepts connections. Dispose it; if the test process dies first, it dies too.
 *
 * @throws {MissingServerError} if Redis is not installed.
 * @throws {ProcessStartError} if it ends at once, with what it printed.
 */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  requireServer('redis')
  const folder = await mkdtemp(join(tmpdir(), 'celery-redis-'))
  try {
    const certificates = options.tls === true ? await makeCertificates(folder) : undefined
    for (let attempt = 1; ; attempt++) {
      const port = await freePort()
      const place: Place = {
        folder,
        port,
        tls: certificates === undefined ? undefined : { port: await freePort(), certificates },
        socketPath: options.unixSocket === true ? join(folder, 'redis.sock') : undefined,
      }
      try {
        return new PrivateRedis(options, place, await launch(options, place))
      } catch (error) {
        if (attempt === PORT_ATTEMPTS || !isPortTaken(error)) throw error
      }
    }
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

/** Whether a server could not start because another one was quicker to take its port. */
export function isPortTaken(error: unknown): boolean {
  return error instanceof ProcessStartError && error.output.includes('Address already in use')
}

/** Where it listens and keeps its files. */
interface Place {
  readonly folder: string
  readonly port: number
  readonly tls: { readonly port: number; readonly certificates: Certificates } | undefined
  readonly socketPath: string | undefined
}

async function launch(options: RedisOptions, { folder, port, tls, socketPath }: Place): Promise<GuardedProcess> {
  const settings: Record<string, string> = {
    port: String(port),
    bind: HOST,
    dir: folder,
    save: '',
    appendonly: options.appendOnly ? 'yes' : 'no',
    appendfsync: 'always',
    ...(options.password === undefined ? {} : { requirepass: options.password }),
    ...(socketPath === undefined ? {} : { unixsocket: socketPath, unixsocketperm: '700' }),
    ...(tls === undefined ? {} : tlsSettings(tls.port, tls.certificates)),
  }
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
  const users = (options.acl ?? []).flatMap((rules) => ['--user', ...rules.split(' ')])
  const redis = await GuardedProcess.start(
    findExecutable('redis-server') ?? 'redis-server',
    [...args, ...users, ...(options.args ?? [])],
    { cwd: folder, folder },
  )
  try {
    await redis.waitForOutput(/Ready to accept connections/)
    return redis
  } catch (error) {
    await redis.kill()
    throw error
  }
}

function tlsSettings(port: number, { authority, certificate, key }: Certificates): Record<string, string> {
  return {
    'tls-port': String(port),
    'tls-ca-cert-file': authority,
    'tls-cert-file': certificate,
    'tls-key-file': key,
    'tls-auth-clients': 'no',
  }
}

class PrivateRedis implements RedisServer {
  readonly url: string
  readonly host: string = HOST
  readonly port: number
  readonly tls: RedisTls | undefined
  readonly socketPath: string | undefined
  readonly #options: RedisOptions
  readonly #place: Place
  #process: GuardedProcess

  constructor(options: RedisOptions, place: Place, process: GuardedProcess) {
    const credentials = options.password === undefined ? '' : `:${encodeURIComponent(options.password)}@`
    this.url = `redis://${credentials}${HOST}:${place.port}/0`
    this.port = place.port
    this.tls = place.tls && { ...place.tls, url: `rediss://${credentials}${HOST}:${place.tls.port}/0` }
    this.socketPath = place.socketPath
    this.#options = options
    this.#place = place
    this.#process = process
  }

  get pid(): number {
    return this.#process.pid
  }

  kill(): Promise<void> {
    return this.#process.kill()
  }

  async restart(): Promise<void> {
    await this.#process.stop()
    this.#process = await launch(this.#options, this.#place)
  }

  pause(): void {
    this.#process.signal('SIGSTOP')
  }

  resume(): void {
    this.#process.signal('SIGCONT')
  }

  send(...command: readonly string[]): Promise<RedisReply> {
    const { password } = this.#options
    const greeting = password === undefined ? [] : [['AUTH', password]]
    return sendRedisCommands({ host: this.host, port: this.port }, [...greeting, command])
  }

  output(): string {
    return this.#process.output()
  }

  async close(): Promise<void> {
    await this.#process.stop()
    await rm(this.#place.folder, { recursive: true, force: true })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
