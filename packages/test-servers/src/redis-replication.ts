import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { closeAll } from './close-all.ts'
import { findExecutable } from './find-executable.ts'
import { freePort } from './free-port.ts'
import { GuardedProcess } from './guarded-process.ts'
import { sendRedisCommands } from './redis-command.ts'
import { isPortTaken, type RedisServer, startRedis } from './redis-server.ts'
import { until } from './until.ts'

export interface RedisReplicationOptions {
  /** @defaultValue `1` */
  readonly replicas?: number | undefined
  /** How many sentinels watch them; more than half of them decide. @defaultValue `3` */
  readonly sentinels?: number | undefined
  /** Clients of the servers must send it; it becomes part of the URL. */
  readonly password?: string | undefined
  /** Clients of the sentinels must send it; it does not become part of the URL. */
  readonly sentinelPassword?: string | undefined
  /** Write every command to disk before it is answered. @defaultValue `false` */
  readonly appendOnly?: boolean | undefined
}

/** A private primary with replicas and sentinels, which agree within seconds when one fails. */
export interface RedisReplication extends AsyncDisposable {
  /** `sentinel://[:password@]127.0.0.1:port/0;…`, all sentinels. */
  readonly url: string
  /** What the sentinels call the primary. */
  readonly masterName: string
  /** Primary and replicas, in the order in which they were started. */
  readonly servers: readonly RedisServer[]
  readonly sentinels: readonly RedisSentinel[]
  /** The server that more than half of the sentinels name now. */
  primary(): Promise<RedisServer>
  /** Ends the primary as a crash would and resolves to the new one, when the sentinels name it. */
  failover(): Promise<RedisServer>
  /** Makes the sentinels exchange the primary, which becomes a replica, and resolves to the new one. Nobody dies. */
  promote(): Promise<RedisServer>
  close(): Promise<void>
}

export interface RedisSentinel {
  readonly host: string
  readonly port: number
  /** Ends it as a crash would. */
  kill(): Promise<void>
  /** Freezes it: connections stay open and nothing is answered, until `resume`. */
  pause(): void
  resume(): void
}

const HOST = '127.0.0.1'
const MASTER_NAME = 'primary'
const PORT_ATTEMPTS = 10

/**
 * Starts a primary, its replicas and their sentinels, and resolves when all know of each other. Dispose it; if the test
 * process dies first, they die too.
 *
 * @throws {MissingServerError} if Redis is not installed.
 */
export async function startRedisReplication(options: RedisReplicationOptions = {}): Promise<RedisReplication> {
  const started: AsyncDisposable[] = []
  try {
    return await startAll(options, started)
  } catch (error) {
    await closeAll(started)
    throw error
  }
}

async function startAll(options: RedisReplicationOptions, started: AsyncDisposable[]): Promise<RedisReplication> {
  const { password, sentinelPassword } = options
  const common = {
    password,
    appendOnly: options.appendOnly,
    args: ['--repl-diskless-sync-delay', '0', ...(password === undefined ? [] : ['--masterauth', password])],
  }
  const primary = await startRedis(common)
  started.push(primary)
  const replicas: RedisServer[] = []
  for (let index = 0; index < (options.replicas ?? 1); index++) {
    const replica = await startRedis({ ...common, args: [...common.args, '--replicaof', HOST, String(primary.port)] })
    started.push(replica)
    replicas.push(replica)
  }
  for (const replica of replicas) {
    await until('the replica has its copy', async () => String(await replica.send('ROLE')).includes(',connected,'))
  }
  const count = options.sentinels ?? 3
  const sentinels: Sentinel[] = []
  for (let index = 0; index < count; index++) {
    const sentinel = await Sentinel.start(primary.port, Math.floor(count / 2) + 1, password, sentinelPassword)
    started.push(sentinel)
    sentinels.push(sentinel)
  }
  const replication = new PrivateReplication([primary, ...replicas], sentinels, password, started)
  await replication.untilComplete()
  return replication
}

class PrivateReplication implements RedisReplication {
  readonly masterName: string = MASTER_NAME
  readonly url: string
  readonly servers: readonly RedisServer[]
  readonly sentinels: readonly Sentinel[]
  readonly #started: readonly AsyncDisposable[]

  constructor(
    servers: readonly RedisServer[],
    sentinels: readonly Sentinel[],
    password: string | undefined,
    started: readonly AsyncDisposable[],
  ) {
    const credentials = password === undefined ? '' : `:${encodeURIComponent(password)}@`
    this.url = sentinels.map(({ port }) => `sentinel://${credentials}${HOST}:${port}/0`).join(';')
    this.servers = servers
    this.sentinels = sentinels
    this.#started = started
  }

  /** Sentinels find each other by what they publish every two seconds. */
  async untilComplete(): Promise<void> {
    for (const sentinel of this.sentinels) {
      await until('the sentinels know of each other and of the replicas', async () => {
        const state = await sentinel.state()
        return (
          state.get('num-other-sentinels') === String(this.sentinels.length - 1) &&
          state.get('num-slaves') === String(this.servers.length - 1)
        )
      })
    }
  }

  primary(): Promise<RedisServer> {
    return until('the sentinels agree on a primary', async () => await this.#agreed())
  }

  async failover(): Promise<RedisServer> {
    const old = await this.primary()
    await old.kill()
    return await this.#untilOtherThan(old)
  }

  async promote(): Promise<RedisServer> {
    const old = await this.primary()
    const [sentinel] = this.sentinels
    await until('a sentinel begins a failover', async () => {
      await sentinel?.send('SENTINEL', 'FAILOVER', MASTER_NAME)
      return true
    })
    const next = await this.#untilOtherThan(old)
    // The sentinels would do so too, ten seconds later; until then the old one would take writes.
    await old.send('REPLICAOF', next.host, String(next.port))
    return next
  }

  close(): Promise<void> {
    return closeAll(this.#started)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #untilOtherThan(old: RedisServer): Promise<RedisServer> {
    return until('the sentinels name another primary', async () => {
      const primary = await this.#agreed()
      return primary !== old && primary !== undefined && isPrimary(await primary.send('ROLE')) && primary
    })
  }

  /** All that answer must agree, and more than half must answer. */
  async #agreed(): Promise<RedisServer | undefined> {
    const named = await Promise.allSettled(this.sentinels.map((sentinel) => sentinel.state()))
    const ports = named.flatMap((one) => (one.status === 'fulfilled' ? [one.value.get('port')] : []))
    if (ports.length <= this.sentinels.length / 2 || new Set(ports).size !== 1) return undefined
    return this.servers.find(({ port }) => String(port) === ports[0])
  }
}

function isPrimary(role: unknown): boolean {
  return String(role).startsWith('master')
}

class Sentinel implements RedisSentinel, AsyncDisposable {
  readonly host: string = HOST
  readonly port: number
  readonly #folder: string
  readonly #password: string | undefined
  readonly #process: GuardedProcess

  private constructor(port: number, folder: string, password: string | undefined, process: GuardedProcess) {
    this.port = port
    this.#folder = folder
    this.#password = password
    this.#process = process
  }

  static async start(
    primaryPort: number,
    quorum: number,
    password: string | undefined,
    sentinelPassword: string | undefined,
  ): Promise<Sentinel> {
    const folder = await mkdtemp(join(tmpdir(), 'celery-sentinel-'))
    try {
      for (let attempt = 1; ; attempt++) {
        const port = await freePort()
        const lines = sentinelSettings(primaryPort, quorum, password, sentinelPassword)
        try {
          const process = await launchSentinel(folder, port, lines)
          return new Sentinel(port, folder, sentinelPassword, process)
        } catch (error) {
          if (attempt === PORT_ATTEMPTS || !isPortTaken(error)) throw error
        }
      }
    } catch (error) {
      await rm(folder, { recursive: true, force: true })
      throw error
    }
  }

  send(...command: readonly string[]): ReturnType<typeof sendRedisCommands> {
    const greeting = this.#password === undefined ? [] : [['AUTH', this.#password]]
    return sendRedisCommands({ host: HOST, port: this.port }, [...greeting, command], { timeoutMs: 1_000 })
  }

  /** What it thinks of the primary: names and values in turn. */
  async state(): Promise<ReadonlyMap<string, string>> {
    const reply = await this.send('SENTINEL', 'MASTER', MASTER_NAME)
    const texts = Array.isArray(reply) ? reply.map(String) : []
    return new Map(texts.flatMap((text, index) => (index % 2 === 0 ? [[text, texts[index + 1] ?? ''] as const] : [])))
  }

  kill(): Promise<void> {
    return this.#process.kill()
  }

  pause(): void {
    this.#process.signal('SIGSTOP')
  }

  resume(): void {
    this.#process.signal('SIGCONT')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stop()
    await rm(this.#folder, { recursive: true, force: true })
  }
}

function sentinelSettings(
  primaryPort: number,
  quorum: number,
  password: string | undefined,
  sentinelPassword: string | undefined,
): readonly string[] {
  return [
    `sentinel monitor ${MASTER_NAME} ${HOST} ${primaryPort} ${quorum}`,
    // Sentinels connect to a server they were just told of up to a second late: with no more than that they would at once
    // take a new primary for dead, and make the old one primary again.
    `sentinel down-after-milliseconds ${MASTER_NAME} 2000`,
    `sentinel failover-timeout ${MASTER_NAME} 5000`,
    ...(password === undefined ? [] : [`sentinel auth-pass ${MASTER_NAME} "${password}"`]),
    ...(sentinelPassword === undefined
      ? []
      : [`requirepass "${sentinelPassword}"`, `sentinel sentinel-pass "${sentinelPassword}"`]),
  ]
}

async function launchSentinel(folder: string, port: number, settings: readonly string[]): Promise<GuardedProcess> {
  // Sentinels write what they learn into their own settings.
  const file = join(folder, `sentinel-${port}.conf`)
  await writeFile(file, [`port ${port}`, `bind ${HOST}`, `dir ${folder}`, ...settings, ''].join('\n'))
  const command = findExecutable('redis-server') ?? 'redis-server'
  const process = await GuardedProcess.start(command, [file, '--sentinel'], { cwd: folder, folder })
  try {
    await process.waitForOutput(/\+monitor master/)
    return process
  } catch (error) {
    await process.kill()
    throw error
  }
}
