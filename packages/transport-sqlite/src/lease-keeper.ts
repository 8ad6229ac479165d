/**
 * Runs on a worker thread with a connection of its own. Renews the leases of the connection it was started for, so that
 * no user code on the main thread can keep it from doing so; takes over what lost owners held; and copies the log into
 * the file, which waits for the disk and had better not do so on the main thread.
 */
import { sleep } from '@celery/promises'
import { type Database, openDatabase, withBusyRetry } from '@celery/sqlite'
import type { KeepLeases, LeaseCommands } from '@celery/transport'
import { BrokerFile } from './broker-file.ts'
import { type HeldKey, heldKey } from './fence.ts'

export interface LeaseKeeperData {
  readonly path: string
  readonly session: string
  readonly leaseMs: number
  readonly graceMs: number
}

export const keepLeases: KeepLeases = async (data, commands) => {
  const { signal } = commands
  let database: Database | undefined
  try {
    const { path } = data as LeaseKeeperData
    database = await openDatabase(path, { signal, checkpointBytes, onCheckpointError: commands.report })
    await keep(database, data as LeaseKeeperData, commands)
  } catch (error) {
    if (signal?.aborted !== true) throw error
  } finally {
    database?.close()
  }
}

async function keep(database: Database, data: LeaseKeeperData, commands: LeaseCommands): Promise<void> {
  const { session, leaseMs, graceMs } = data
  const { signal, onAbandon } = commands
  const file = new BrokerFile(database, { session, leaseMs, graceMs })
  const commit = (run: () => void, blockedMs = 0): Promise<void> => {
    const started = performance.now()
    const transact = (): void =>
      database.transaction(() => {
        file.begin(blockedMs + performance.now() - started)
        file.refresh()
        run()
      })
    return withBusyRetry(transact, { signal, deadlineMs: leaseMs / 3 })
  }

  // Often enough to have had two chances by the time the renewal of another proves that there were any.
  const renewMs = leaseMs / 4

  /** To be given back. Kept until that is done: as long as it is not, they are renewed with all others. */
  const abandoned = new Set<HeldKey>()
  onAbandon((deliveries) => {
    for (const delivery of deliveries) abandoned.add(heldKey(delivery))
  })
  const giveBackAbandoned = async (): Promise<void> => {
    const keys = [...abandoned]
    await commit(() => {
      for (const key of keys) file.claims.giveBack(key, true)
    })
    for (const key of keys) abandoned.delete(key)
  }

  const keepAndTakeOver = (): void => {
    const nowMs = Date.now()
    file.ownership.renew(nowMs)
    // An owner even before anything was fetched: its renewals prove that others could have renewed theirs.
    if (file.ownership.ownLeaseEndMs() === undefined) file.ownership.begin(nowMs)
    file.catchUp(nowMs)
  }
  // So that nobody has to wait for its end where nothing is held.
  signal?.addEventListener('abort', () => {
    try {
      database.transaction(() => file.ownership.leave())
    } catch {
      // Locked, or gone: it ends with its lease.
    }
  })
  const emptyLog = async (): Promise<void> => {
    database.checkPresent()
    if (!database.isCheckpointDue(checkpointBytes)) return
    // While it waits for the disk this thread renews nothing, and others may be able to write.
    const isShort = leaseMs - renewMs - lookMs < slowestDiskMs
    if (isShort) await commit(() => file.ownership.renew(Date.now(), Math.max(leaseMs, slowestDiskMs)))
    database.checkpoint(checkpointTimeoutMs)
    if (isShort) await commit(() => file.ownership.renew(Date.now()))
  }
  /** Since when it has not looked, or not been able to renew, on the monotonic clock. */
  let lookedAt = performance.now()
  for (let dueMs = Date.now(); ; ) {
    signal?.throwIfAborted()
    const now = Date.now()
    // Leases are in the machine's time, which passes while the machine sleeps, and may be set back.
    if (now >= dueMs || dueMs > now + renewMs) {
      // What held this thread up may have held up everybody: a full disk, the log being emptied.
      const lateMs = Math.max(0, performance.now() - lookedAt - 2 * lookMs)
      await attempt(async () => {
        await commit(keepAndTakeOver, lateMs)
        // A renewal that failed is due again at once, else the lease may end before the next one.
        dueMs = now + renewMs
        lookedAt = performance.now()
        commands.ready()
      }, commands)
    } else lookedAt = performance.now()
    if (abandoned.size > 0) await attempt(giveBackAbandoned, commands)
    await attempt(emptyLog, commands)
    await sleep(Math.min(lookMs, renewMs), { signal })
  }
}

const checkpointBytes = 4 * 2 ** 20
/** How often it looks at the size of the log, and for what was abandoned. */
const lookMs = 200
/** For how long the log may keep this thread from renewing. Takeover is promised within the lease and five seconds. */
const slowestDiskMs = 3_000
/** For how long this thread waits for a moment in which nobody writes or reads. */
const checkpointTimeoutMs = 500

/** The keeper goes on whatever happens; a lease lost for good shows when the main thread settles. */
async function attempt(run: () => void | Promise<void>, { signal, report }: LeaseCommands): Promise<void> {
  try {
    await run()
  } catch (error) {
    if (signal?.aborted !== true) report(error)
  }
}
