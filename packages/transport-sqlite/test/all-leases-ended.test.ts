import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDatabase } from '@celery/sqlite'
import type { Delivery } from '@celery/transport'
import type { VirtualBroker } from '@celery/transport/virtual'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openSqliteBroker, type SqliteBrokerOptions } from '../src/index.ts'

const leaseMs = 10_000

describe('when every lease has ended, because the machine slept or the file was locked (P-2)', () => {
  test('whoever wakes first does not take over from the others', async () => {
    const { clock, open } = await setUp()
    const early = await open()
    const late = await open()
    await late.put([message('a'), message('b')])
    const [held] = await take(late)
    await take(early)

    clock.nowMs += 3 * leaseMs
    await look(early)
    // Now the other one wakes up, too.
    expect(await late.renew([held as Delivery])).toEqual(['done'])
    clock.nowMs += 2_000
    await look(early)
    expect(await late.settle([{ delivery: held as Delivery }])).toEqual(['done'])
  })

  test('whoever renews first does not make the others look lost', async () => {
    const { clock, open } = await setUp()
    const early = await open()
    const late = await open()
    await late.put([message('a'), message('b')])
    const [held] = await take(late)
    const [mine] = await take(early)

    clock.nowMs += 3 * leaseMs
    expect(await early.renew([mine as Delivery])).toEqual(['done'])
    await look(early)
    expect(await late.renew([held as Delivery])).toEqual(['done'])
  })

  test('whoever renews first without being asked does not either', async () => {
    const { folder, clock, open } = await setUp()
    const leaseMs = 300
    const early = await open({ leaseMs, takeoverGraceMs: 100 })
    // For this one time stands still, so that it renews nothing.
    const late = await open({ leaseMs, takeoverGraceMs: 100, now: () => 1_000_000 })
    await late.put([message('a'), message('b')])
    const [held] = await take(late)
    await take(early)

    const database = await openDatabase(join(folder, 'queue.db'))
    onTestFinished(() => database.close())
    const leases = database.prepare('SELECT max(lease_until_ms) FROM owner')
    clock.nowMs += 3 * leaseMs
    while (leases.values([])[0]?.[0] !== clock.nowMs + leaseMs) await new Promise((resolve) => setTimeout(resolve, 10))
    await look(early)
    expect(await late.settle([{ delivery: held as Delivery }])).toEqual(['done'])
  })

  test('whoever begins to hold first does not either', async () => {
    const { clock, open } = await setUp()
    const late = await open()
    await late.put([message('a')])
    const [held] = await take(late)

    clock.nowMs += 3 * leaseMs
    const early = await open()
    await early.declareQueue({ name: 'private', exclusive: true })
    await look(early)
    expect(await late.renew([held as Delivery])).toEqual(['done'])
  })

  test('what was held by those who do not wake up comes back after the grace, once', async () => {
    const { clock, open } = await setUp()
    const lost = await open()
    await lost.put([message('a')])
    const [held] = await take(lost)

    clock.nowMs += 3 * leaseMs
    const other = await open()
    await look(other)
    clock.nowMs += 2_000
    expect(await take(other)).toMatchObject([{ tag: 'a', redeliveries: 1 }])
    expect(await lost.settle([{ delivery: held as Delivery }])).toEqual(['stale'])
  })

  test('one lost owner among living ones is taken over at once', async () => {
    const { clock, open } = await setUp()
    const living = await open()
    const lost = await open()
    await lost.put([message('a'), message('b')])
    await take(lost)
    const [held] = await take(living)
    clock.nowMs += leaseMs / 2
    await living.renew([held as Delivery])
    clock.nowMs += leaseMs / 2 + 1
    expect(await take(living)).toMatchObject([{ tag: 'a', redeliveries: 1 }])
  })
})

describe('when the clock is set back (P-3)', () => {
  test('what a lost owner held comes back when its lease has passed once more', async () => {
    const { clock, open } = await setUp()
    const lost = await open()
    await lost.put([message('a')])
    await take(lost)
    clock.nowMs -= 500_000
    const other = await open()
    await look(other)
    clock.nowMs += leaseMs
    // Not one lease is good, so there is the grace.
    await look(other)
    clock.nowMs += 1_000
    expect(await take(other)).toMatchObject([{ tag: 'a', redeliveries: 1 }])
  })

  test('nobody loses what he holds, and a fetch that waits notices', async () => {
    const { clock, open } = await setUp()
    const living = await open()
    await living.put([message('a'), message('b')])
    const [held] = await take(living)
    const lost = await open()
    await take(lost)
    clock.nowMs -= 500_000
    const other = await open()
    await look(other)
    clock.nowMs += leaseMs - 1
    await living.renew([held as Delivery])
    const waiting = take(other)
    clock.nowMs += 2
    expect(await waiting).toMatchObject([{ tag: 'b', redeliveries: 1 }])
    expect(await living.settle([{ delivery: held as Delivery }])).toEqual(['done'])
  })
})

describe('when nobody could write for a while (P-2)', () => {
  test('somebody who was not there does not take a lease that ended meanwhile for that of a lost owner', async () => {
    const { clock, open } = await setUp()
    const late = await open()
    const other = await open()
    await late.put([message('a'), message('b')])
    const [held] = await take(late)
    // Renewed before the other had to; that it is still good when the other has ended proves nothing.
    clock.nowMs += 0.4 * leaseMs
    await take(other)
    clock.nowMs += 0.7 * leaseMs
    const early = await open()
    await look(early)
    expect(await late.renew([held as Delivery])).toEqual(['done'])
    clock.nowMs += 1_000
    await look(early)
    expect(await late.settle([{ delivery: held as Delivery }])).toEqual(['done'])
  })

  test('a lease that ended although another was renewed late in it is that of a lost owner', async () => {
    const { clock, open } = await setUp()
    const lost = await open()
    const other = await open()
    await lost.put([message('a'), message('b')])
    await take(lost)
    const [good] = await take(other)
    clock.nowMs += 0.6 * leaseMs
    await other.renew([good as Delivery])
    clock.nowMs += 0.4 * leaseMs
    expect(await take(await open())).toMatchObject([{ tag: 'a', redeliveries: 1 }])
  })

  test('a lease that ended meanwhile is not taken for that of a lost owner', async () => {
    const { folder, clock, open } = await setUp()
    const takeoverGraceMs = 40
    const late = await open()
    const living = await open()
    await late.put([message('a'), message('b')])
    const [held] = await take(late)
    const [good] = await take(living)
    clock.nowMs += leaseMs - 10
    await living.renew([good as Delivery])
    const early = await open({ takeoverGraceMs })

    const database = await openDatabase(join(folder, 'queue.db'))
    onTestFinished(() => database.close())
    database.exec('BEGIN IMMEDIATE')
    const looked = look(early)
    // It has found the file locked by now, and what counts is how long that really lasts.
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
    const blockedFrom = performance.now()
    while (performance.now() < blockedFrom + takeoverGraceMs) await new Promise((resolve) => setTimeout(resolve, 5))
    clock.nowMs += 11
    database.exec('COMMIT')
    await looked
    expect(await late.settle([{ delivery: held as Delivery }])).toEqual(['done'])
  })
})

function message(tag: string) {
  return { queue: 'q', tag, payload: 'body', priority: 0 }
}

function take(broker: VirtualBroker): Promise<readonly Delivery[]> {
  return broker.fetch(['q'], { max: 1, signal: AbortSignal.timeout(20_000) })
}

/** Does what a fetch does first. */
async function look(broker: VirtualBroker): Promise<void> {
  await broker.declareQueue({ name: 'q' })
}

interface Scene {
  readonly folder: string
  readonly clock: { nowMs: number }
  open(options?: Partial<SqliteBrokerOptions>): Promise<VirtualBroker>
}

async function setUp(): Promise<Scene> {
  const folder = await mkdtemp(join(tmpdir(), 'celery-leases-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const clock = { nowMs: 1_000_000 }
  return {
    folder,
    clock,
    async open(options) {
      const path = join(folder, 'queue.db')
      const defaults = { path, leaseMs, takeoverGraceMs: 1_000, now: () => clock.nowMs }
      const broker = await openSqliteBroker({ ...defaults, ...options })
      onTestFinished(() => broker.close())
      return broker
    },
  }
}
