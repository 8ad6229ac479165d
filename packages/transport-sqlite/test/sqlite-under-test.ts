import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrokerConnection, parseBrokerUrl } from '@celery/transport'
import type { BrokerUnderTest } from '@celery/transport/testkit'
import { sqlite } from '../src/index.ts'

/** A broker in a folder of its own, with a clock that can be moved. */
export async function sqliteUnderTest(): Promise<BrokerUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), 'celery-sqlite-'))
  const address = parseBrokerUrl(`sqlite:///${join(folder, 'queue.db')}`)
  let aheadMs = 0
  const stopClock = new WeakMap<BrokerConnection, () => void>()
  return {
    capabilities: sqlite.capabilities,
    async connect({ leaseMs }) {
      const now = (): number => Date.now() + aheadMs
      let stoppedMs: number | undefined
      const connection = await sqlite.open(address, {
        leaseMs,
        // The cases move the clock, and mean that an owner was lost.
        transportOptions: { takeoverGraceMs: 0 },
        now: () => stoppedMs ?? now(),
      })
      stopClock.set(connection, () => {
        stoppedMs = now()
      })
      return connection
    },
    advance(ms) {
      aheadMs += ms
    },
    // For whom time stands still sees no reason to renew, and its leases end for the others.
    async crash(connection) {
      stopClock.get(connection)?.()
    },
    async [Symbol.asyncDispose]() {
      await rm(folder, { recursive: true, force: true })
    },
  }
}
