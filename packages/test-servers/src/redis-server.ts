import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ProcessStartError } from './errors.ts'
import { findExecutable } from './find-executable.ts'
import { freePort } from './free-port.ts'
import { GuardedProcess } from './guarded-process.ts'
import { requireServer } from './servers.ts'

export interface RedisOptions {
  /** Write every command to disk before it is answered, so that data survives {@link RedisServer.kill}. @defaultValue `false` */
  readonly appendOnly?: boolean | undefined
  /** Clients must send it; it becomes part of the URL. */
  readonly password?: string | undefined
  /** Further settings as `redis-server` takes them, for example `['--maxmemory', '64mb']`. */
  readonly args?: readonly string[] | undefined
}

/** A private Redis with a data folder of its own, on a free loopback port. */
export interface RedisServer extends AsyncDisposable {
  /** `redis://[:password@]127.0.0.1:port/0`. The same after a restart. */
  readonly url: string
  readonly host: string
  readonly port: number
  /** Of the process that runs now, or ran last. */
  readonly pid: number
  /** Ends it as a crash would, with SIGKILL. */
  kill(): Promise<void>
  /** Starts it again with the same port, folder and settings; stops it first if it still runs. */
  restart(): Promise<void>
  /** Freezes it: connections stay open and nothing is answered, until {@link RedisServer.resume}. */
  pause(): void
  resume(): void
  /** What the process that runs now, or ran last, has printed. */
  output(): string
  /** Stops it and removes its folder. The same as disposing; safe to call again. */
  close(): Promise<void>
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
    for (let attempt = 1; ; attempt++) {
      const port = await freePort()
      try {
        return new PrivateRedis(options, folder, port, await launch(options, folder, port))
      } catch (error) {
        if (attempt === PORT_ATTEMPTS || !isPortTaken(error)) throw error
      }
    }
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

function isPortTaken(error: unknown): boolean {
  return error instanceof ProcessStartError && error.output.includes('Address already in use')
}

async function launch(options: RedisOptions, folder: string, port: number): Promise<GuardedProcess> {
  const settings: Record<string, string> = {
    port: String(port),
    bind: HOST,
    dir: folder,
    save: '',
    appendonly: options.appendOnly ? 'yes' : 'no',
    appendfsync: 'always',
    ...(options.password === undefined ? {} : { requirepass: options.password }),
  }
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
  const redis = await GuardedProcess.start(
    findExecutable('redis-server') ?? 'redis-server',
    [...args, ...(options.args ?? [])],
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

class PrivateRedis implements RedisServer {
  readonly url: string
  readonly host: string = HOST
  readonly port: number
  readonly #options: RedisOptions
  readonly #folder: string
  #process: GuardedProcess

  constructor(options: RedisOptions, folder: string, port: number, process: GuardedProcess) {
    const credentials = options.password === undefined ? '' : `:${encodeURIComponent(options.password)}@`
    this.url = `redis://${credentials}${HOST}:${port}/0`
    this.port = port
    this.#options = options
    this.#folder = folder
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
    this.#process = await launch(this.#options, this.#folder, this.port)
  }

  pause(): void {
    this.#process.signal('SIGSTOP')
  }

  resume(): void {
    this.#process.signal('SIGCONT')
  }

  output(): string {
    return this.#process.output()
  }

  async close(): Promise<void> {
    await this.#process.stop()
    await rm(this.#folder, { recursive: true, force: true })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
