/**
 * Runs on a worker thread with a connection of its own, which it opens again by itself. Renews the lease of the session it
 * was started for, so that no user code on the main thread can keep it from doing so; takes over what lost owners held; and
 * puts back what Python workers have lost, by their rules.
 */
import { CeleryError, growingPause, sleep } from '@celery/promises'
import { openRedisTarget, type RedisClient, RedisTarget, type RedisTargetData } from '@celery/redis'
import type { KeepLeases } from '@celery/transport'
import { toTransportError } from './broker-errors.ts'
import { Keys } from './keys.ts'
import type { RedisBrokerSettings } from './redis-options.ts'
import { replyList, replyNumber } from './reply.ts'
import { restoreLost } from './restore-lost.ts'
import { renewScript } from './session-scripts.ts'
import { giveBackCounted, takeOver } from './takeover.ts'

export interface LeaseKeeperData {
  readonly target: RedisTargetData
  readonly settings: RedisBrokerSettings
  readonly session: string
  readonly leaseMs: number
  readonly graceMs: number
}

export const keepLeases: KeepLeases = async (data, commands) => {
  const { signal } = commands
  const keeperData = data as LeaseKeeperData
  const { target, settings } = keeperData
  const keys = new Keys({ ...settings, prefix: RedisTarget.from(target).keyPrefix })
  /** To be given back. Kept until that is done: as long as it is not, they are renewed with all others. */
  const abandoned = new Set<string>()
  commands.onAbandon((deliveries) => {
    for (const { tag } of deliveries) abandoned.add(tag)
  })
  const pauseMs = growingPause({ firstMs: 100, longestMs: 1_500 })
  let failures = 0
  while (!isAborted(signal)) {
    let client: RedisClient | undefined
    let keeper: Keeper | undefined
    try {
      client = await openRedisTarget(RedisTarget.from(target), { signal })
      keeper = new Keeper(client, keys, keeperData, abandoned)
      for (;;) {
        await keeper.keep()
        failures = 0
        commands.ready()
        await sleep(keeper.pauseMs, { signal })
      }
    } catch (error) {
      if (isAborted(signal)) return
      const failure = toTransportError(RedisTarget.from(target).address, error)
      // That a connection is lost is told by who fetches; here it is news where another one does not come at once.
      if (failures > 0 || !CeleryError.is(failure, 'ERR_CELERY_CONNECTION_LOST')) commands.report(failure)
      await sleep(pauseMs(failures++), { signal }).catch(() => {})
    } finally {
      await keeper?.finish()
      await client?.close()
    }
  }
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true
}

/** What a keeper does over one connection, again and again. */
class Keeper {
  readonly #client: RedisClient
  readonly #keys: Keys
  readonly #data: LeaseKeeperData
  readonly #abandoned: Set<string>
  readonly #stop = new AbortController()
  #nextRenewal = 0
  #nextRestore = 0
  #restoring: Promise<void> | undefined
  #failure: unknown

  constructor(client: RedisClient, keys: Keys, data: LeaseKeeperData, abandoned: Set<string>) {
    this.#client = client
    this.#keys = keys
    this.#data = data
    this.#abandoned = abandoned
  }

  /** How long it may rest: it looks often for what was abandoned, and for ended leases in time. */
  get pauseMs(): number {
    return Math.min(lookMs, this.#data.leaseMs / 8)
  }

  async keep(): Promise<void> {
    const now = performance.now()
    if (now >= this.#nextRenewal) {
      await this.#renew()
      // Often enough to have had two chances by the time the renewal of another proves that there were any.
      this.#nextRenewal = now + this.#data.leaseMs / 4
    }
    if (this.#abandoned.size > 0) {
      const tags = [...this.#abandoned]
      await giveBackCounted(this.#client, this.#keys, tags)
      for (const tag of tags) this.#abandoned.delete(tag)
    }
    if (this.#failure !== undefined) throw this.#failure
    if (now >= this.#nextRestore && this.#restoring === undefined) {
      this.#restoring = this.#restore()
      this.#nextRestore = now + this.#data.settings.unackedRestoreEveryMs
    }
  }

  /** Resolves when nothing of it is under way. */
  async finish(): Promise<void> {
    this.#stop.abort()
    await this.#restoring
  }

  /** Beside everything else: what takes longer than a lease must not cost leases. */
  async #restore(): Promise<void> {
    try {
      await restoreLost(this.#client, this.#keys, this.#data.settings, { signal: this.#stop.signal })
    } catch (error) {
      this.#failure = error
    } finally {
      this.#restoring = undefined
    }
  }

  async #renew(): Promise<void> {
    const { session, leaseMs, graceMs } = this.#data
    const { prefix, separator, owners, renewed, index } = this.#keys
    const reply = await this.#client.script(
      renewScript,
      [owners, renewed, this.#keys.held(session), index],
      [prefix, separator, session, leaseMs, graceMs],
    )
    if (replyNumber(replyList(reply)[1]) > 0) await takeOver(this.#client, this.#keys, this.#data)
  }
}

const lookMs = 200
