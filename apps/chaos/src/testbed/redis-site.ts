import { setTimeout as sleep } from 'node:timers/promises'
import { type RedisServer, startRedis, startRedisCluster, startRedisReplication } from '@celery/test-servers'
import type { Topology } from '../setup.ts'

/** The servers of a run: one, or several of which another takes over when the first dies. */
export interface RedisSite extends AsyncDisposable {
  /** Before every key. */
  readonly prefix: string
  /** Where clients look for the servers; `undefined` where there is one, to which each has a way of its own. */
  readonly url: string | undefined
  /** What clients have to know besides, by Celery's names. */
  readonly options?: Readonly<Record<string, unknown>>
  /** The server that takes writes now. */
  readonly primary: RedisServer
  /**
   * Kills the primary as a crash would, and resolves when there is one again: the same after `downMs`, or another. Everything that it
   * had answered is kept: where there are replicas it dies when they have all of it, for what they have not is lost by design.
   *
   * @param look - Called when nothing can change any more what will be there then: `primary` is still the old one.
   */
  crash(downMs: number, look: () => Promise<void>): Promise<void>
}

/** Every server writes each command to its disk before it answers. */
export function startSite(topology: Topology): Promise<RedisSite> {
  switch (topology) {
    case 'single':
      return startSingle()
    case 'sentinel':
      return startSentinel()
    case 'cluster':
      return startCluster()
  }
}

async function startSingle(): Promise<RedisSite> {
  const server = await startRedis({ appendOnly: true })
  return {
    prefix: '',
    url: undefined,
    primary: server,
    crash: async (downMs, look) => {
      await server.kill()
      await sleep(downMs)
      await server.restart()
      await look()
    },
    [Symbol.asyncDispose]: () => server.close(),
  }
}

async function startSentinel(): Promise<RedisSite> {
  const replication = await startRedisReplication({ replicas: 1, sentinels: 3, appendOnly: true })
  let primary = await replication.primary()
  return {
    prefix: '',
    url: replication.url,
    options: { master_name: replication.masterName },
    get primary() {
      return primary
    },
    crash: async (_downMs, look) => {
      const old = primary
      await untilReplicated(old)
      await look()
      primary = await replication.failover()
      await old.restart()
      // The sentinels would do so too, but only after ten seconds.
      await old.send('REPLICAOF', primary.host, String(primary.port))
    },
    [Symbol.asyncDispose]: () => replication.close(),
  }
}

async function startCluster(): Promise<RedisSite> {
  const cluster = await startRedisCluster({ masters: 3, replicasPerMaster: 1, appendOnly: true })
  const prefix = '{celery}'
  let primary = await cluster.ownerOf(prefix)
  return {
    prefix,
    url: cluster.url,
    get primary() {
      return primary
    },
    crash: async (_downMs, look) => {
      const old = primary
      await untilReplicated(old)
      await look()
      primary = await cluster.failover(prefix)
      // It finds out by itself that it is a replica now.
      await old.restart()
    },
    [Symbol.asyncDispose]: () => cluster.close(),
  }
}

/** Milliseconds for which nobody may write, at most. */
const pauseMs = 60_000
const lookMs = 20

/** Keeps clients from writing, and resolves when a replica has all that was written. */
async function untilReplicated(primary: RedisServer): Promise<void> {
  const end = performance.now() + pauseMs
  for (let isPaused = false; ; await sleep(lookMs)) {
    const info = String(await primary.send('INFO', 'replication'))
    if (/^role:slave/m.test(info)) {
      throw new Error(`${primary.url} was made a replica, though nobody killed it: the run can say nothing of that`)
    }
    const replica = /^slave0:.*state=online,offset=(\d+)/m.exec(info)?.[1]
    const written = /^master_repl_offset:(\d+)/m.exec(info)?.[1]
    if (isPaused && replica !== undefined && replica === written) return
    // One that is not there yet takes a while, in which others may go on.
    if (!isPaused && replica !== undefined) {
      await primary.send('CLIENT', 'PAUSE', String(pauseMs), 'WRITE')
      isPaused = true
    }
    if (performance.now() > end)
      throw new Error(`no replica has what ${primary.url} holds after ${pauseMs} ms: ${info}`)
  }
}
