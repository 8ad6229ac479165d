/**
 * Runs on a worker thread with a connection of its own. Renews the leases of the connection it was started for, so that
 * no user code on the main thread can keep it from doing so; takes over what lost owners held; and copies the log into
 * the file, which waits for the disk and had better not do so on the main thread.
 */
import { sleep } from '@celery/promises'
import { type Database, openDatabase, withBusyRetry } from '@celery/sqlite'
import type { KeepLeases, LeaseCommands } from '@celery/transport'
import { BrokerFile } from './broker-file.ts'
import { deliveryNumber } from './fence.ts'

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
    database = await openDatabase(path, { signal, checkpointBytes })
    await keep(database, data as LeaseKeeperData, commands)
  } catch (error) {
    if (signal?.aborted !== true) throw error
  } finally {
    database?.close()
  }
}

async function keep(database: Database, data: LeaseKeeperData, commands: LeaseCommands): Promise<void> {
  const { session, leaseMs, graceMs } = data
  const { signal, onAbandon, report } = commands
  const file = new BrokerFile(database, { session, leaseMs, graceMs })
  const commit = (run: () => void): Promise<void> => {
    const transact = (): void =>
      database.transaction(() => {
        file.begin()
        file.refresh()
        run()
      })
    return withBusyRetry(transact, { signal, deadlineMs: leaseMs / 3 })
  }

  onAbandon((deliveries) => {
    const numbers = deliveries.map(deliveryNumber)
    commit(() => {
      for (const [number, row] of file.store.held(numbers)) file.store.giveBack(number, row, true)
    }).catch(report)
  })

  for (let dueMs = Date.now(); ; ) {
    signal?.throwIfAborted()
    const now = Date.now()
    // Leases are in the machine's time, which passes while the machine sleeps, and may be set back.
    if (now >= dueMs || dueMs > now + leaseMs / 3) {
      dueMs = now + leaseMs / 3
      const keepAndTakeOver = (): void => {
        const nowMs = Date.now()
        file.ownership.renew(nowMs)
        file.ownership.takeOverExpired(nowMs)
      }
      await attempt(async () => {
        await commit(keepAndTakeOver)
        commands.ready()
      }, commands)
    }
    await attempt(() => emptyLog(database), commands)
    await sleep(Math.min(lookMs, leaseMs / 3), { signal })
  }
}

const checkpointBytes = 4 * 2 ** 20
/** How often it looks at the size of the log. */
const lookMs = 200

function emptyLog(database: Database): void {
  database.checkPresent()
  if (database.logBytes() >= checkpointBytes) database.checkpoint()
}

/** The keeper goes on whatever happens; a lease lost for good shows when the main thread settles. */
async function attempt(run: () => void | Promise<void>, { signal, report }: LeaseCommands): Promise<void> {
  try {
    await run()
  } catch (error) {
    if (signal?.aborted !== true) report(error)
  }
}
