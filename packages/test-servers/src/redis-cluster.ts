import { closeAll } from './close-all.ts'
import { freePort } from './free-port.ts'
import { type RedisServer, startRedis } from './redis-server.ts'
import { until } from './until.ts'

export interface RedisClusterOptions {
  /** @defaultValue `3`, the least of which a majority can agree on a failover */
  readonly masters?: number | undefined
  /** @defaultValue `0` */
  readonly replicasPerMaster?: number | undefined
  /** Clients must send it; it becomes part of the URL. */
  readonly password?: string | undefined
  /** Write every command to disk before it is answered. @defaultValue `false` */
  readonly appendOnly?: boolean | undefined
}

/** A private Redis Cluster with all its slots served. Needs Redis 7. */
export interface RedisCluster extends AsyncDisposable {
  /** `redis+cluster://[:password@]127.0.0.1:port;…`, all nodes. */
  readonly url: string
  /** First the masters, then the replicas, in the order in which they were started. */
  readonly nodes: readonly RedisServer[]
  /** The node that takes writes to this key now. */
  ownerOf(key: string): Promise<RedisServer>
  /** Ends the owner of this key as a crash would and resolves to the replica that took over. */
  failover(key: string): Promise<RedisServer>
  /** Hands the slot of this key, with all that is in it, to another master, and resolves to that. */
  moveSlot(key: string): Promise<RedisServer>
  close(): Promise<void>
}

const HOST = '127.0.0.1'
const SLOTS = 16_384

/**
 * Starts the nodes of a cluster and resolves when each of them finds it complete. Dispose it; if the test process dies
 * first, they die too.
 *
 * @throws {MissingServerError} if Redis is not installed.
 */
export async function startRedisCluster(options: RedisClusterOptions = {}): Promise<RedisCluster> {
  const started: RedisServer[] = []
  try {
    const masterCount = options.masters ?? 3
    const count = masterCount * (1 + (options.replicasPerMaster ?? 0))
    while (started.length < count) started.push(await startNode(options))
    const cluster = new PrivateCluster(started, options.password)
    await cluster.join(masterCount)
    return cluster
  } catch (error) {
    await closeAll(started)
    throw error
  }
}

async function startNode({ password, appendOnly }: RedisClusterOptions): Promise<RedisServer> {
  const settings = {
    'cluster-enabled': 'yes',
    'cluster-node-timeout': '1000',
    // By default ten thousand above the port, where outgoing connections have theirs.
    'cluster-port': String(await freePort()),
    'repl-diskless-sync-delay': '0',
    'cluster-replica-validity-factor': '0',
    ...(password === undefined ? {} : { masterauth: password }),
  }
  return await startRedis({
    password,
    appendOnly,
    args: Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
  })
}

class PrivateCluster implements RedisCluster {
  readonly url: string
  readonly nodes: readonly RedisServer[]
  readonly #password: string | undefined

  constructor(nodes: readonly RedisServer[], password: string | undefined) {
    const credentials = password === undefined ? '' : `:${encodeURIComponent(password)}@`
    this.url = nodes.map(({ port }) => `redis+cluster://${credentials}${HOST}:${port}`).join(';')
    this.nodes = nodes
    this.#password = password
  }

  async join(masterCount: number): Promise<void> {
    const masters = this.nodes.slice(0, masterCount)
    for (const [index, master] of masters.entries()) {
      const first = Math.ceil((SLOTS * index) / masterCount)
      const last = Math.ceil((SLOTS * (index + 1)) / masterCount) - 1
      await master.send('CLUSTER', 'ADDSLOTSRANGE', String(first), String(last))
      // Two masters of one epoch would settle their order first.
      await master.send('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1))
    }
    // Each meets each: they would hear of each other through the first one too, but later.
    for (const [index, node] of this.nodes.entries()) {
      for (const other of this.nodes.slice(index + 1)) {
        const busPort = String(await other.send('CONFIG', 'GET', 'cluster-port')).split(',')[1] ?? ''
        await node.send('CLUSTER', 'MEET', HOST, String(other.port), busPort)
      }
    }
    await this.#untilComplete()
    for (const [index, replica] of this.nodes.slice(masterCount).entries()) {
      const id = String(await this.nodes[index % masterCount]?.send('CLUSTER', 'MYID'))
      await until('the replica knows its master', async () => {
        await replica.send('CLUSTER', 'REPLICATE', id)
        return true
      })
      await until('the replica has its copy', async () => String(await replica.send('ROLE')).includes(',connected,'))
    }
    for (const node of this.nodes) {
      await until('every node knows who is a replica', async () => {
        const lines = String(await node.send('CLUSTER', 'NODES'))
          .trim()
          .split('\n')
        return lines.filter((line) => /\bslave\b/.test(line)).length === this.nodes.length - masterCount
      })
    }
  }

  async ownerOf(key: string): Promise<RedisServer> {
    const slot = await this.#slotOf(key)
    return await until('a node owns the slot', () => this.#findOwner(slot))
  }

  async failover(key: string): Promise<RedisServer> {
    const old = await this.ownerOf(key)
    const slot = await this.#slotOf(key)
    await old.kill()
    const next = await until('a replica owns the slot', async () => {
      const owner = await this.#findOwner(slot)
      return owner !== old && owner
    })
    await this.#untilComplete()
    return next
  }

  async moveSlot(key: string): Promise<RedisServer> {
    const slot = String(await this.#slotOf(key))
    const from = await this.ownerOf(key)
    const to = await until('there is another master', async () => {
      for (const node of this.nodes) {
        if (node !== from && String(await node.send('ROLE')).startsWith('master')) return node
      }
      return undefined
    })
    const [fromId, toId] = [String(await from.send('CLUSTER', 'MYID')), String(await to.send('CLUSTER', 'MYID'))]
    await to.send('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId)
    await from.send('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId)
    const auth = this.#password === undefined ? [] : ['AUTH', this.#password]
    for (;;) {
      const keys = await from.send('CLUSTER', 'GETKEYSINSLOT', slot, '100')
      if (!Array.isArray(keys) || keys.length === 0) break
      await from.send('MIGRATE', HOST, String(to.port), '', '0', '10000', ...auth, 'KEYS', ...keys.map(String))
    }
    await to.send('CLUSTER', 'SETSLOT', slot, 'NODE', toId)
    await from.send('CLUSTER', 'SETSLOT', slot, 'NODE', toId)
    return to
  }

  async close(): Promise<void> {
    await closeAll(this.nodes)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #slotOf(key: string): Promise<number> {
    return until('a node answers', async () => {
      for (const node of this.nodes) {
        const slot = await node.send('CLUSTER', 'KEYSLOT', key).catch(() => undefined)
        if (typeof slot === 'number') return slot
      }
      return undefined
    })
  }

  /** The living node that says of itself that it is the master of this slot. */
  async #findOwner(slot: number): Promise<RedisServer | undefined> {
    for (const node of this.nodes) {
      const nodes = await node.send('CLUSTER', 'NODES').catch(() => '')
      const itself =
        String(nodes)
          .split('\n')
          .find((line) => /\bmyself\b/.test(line)) ?? ''
      if (/\bmaster\b/.test(itself) && rangesOf(itself).some(([first, last]) => first <= slot && slot <= last)) {
        return node
      }
    }
    return undefined
  }

  /** Dead nodes are passed over. */
  async #untilComplete(): Promise<void> {
    for (const node of this.nodes) {
      await until('the cluster is complete', async () => {
        const info = await node.send('CLUSTER', 'INFO').catch((error: unknown) => {
          if (error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED') return 'cluster_state:ok'
          throw error
        })
        return String(info).includes('cluster_state:ok')
      })
    }
  }
}

/** The slots at the end of a line of `CLUSTER NODES`: `0-5460 7000 [93-<-id]`. */
function rangesOf(line: string): readonly (readonly [number, number])[] {
  return line
    .split(' ')
    .slice(8)
    .filter((range) => /^\d+(-\d+)?$/.test(range))
    .map((range) => {
      const [first, last] = range.split('-').map(Number)
      return [first ?? 0, last ?? first ?? 0] as const
    })
}
