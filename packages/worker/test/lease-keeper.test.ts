import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BrokerConnection, DeliveryRef } from '@celery/transport'
import { describe, expect, onTestFinished, test } from 'vitest'
import { BrokerLeases } from '../src/broker-leases.ts'
import { LeaseKeeper } from '../src/lease-keeper.ts'

function setUp() {
  const folder = mkdtempSync(join(tmpdir(), 'celery-keeper-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const journal = join(folder, 'journal')
  const orders = join(folder, 'orders')
  const errors: string[] = []
  const onError = (error: Error): void => void errors.push(error.message)
  const spec = { module: new URL('./fixtures/keeper.mjs', import.meta.url), data: { journal, orders } }
  return {
    errors,
    onError,
    spec,
    order: (what: string) => writeFileSync(orders, what),
    lines: () => (existsSync(journal) ? readFileSync(journal, 'utf8').split('\n').slice(0, -1) : []),
  }
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5))
}

const delivery: DeliveryRef = { queue: 'q', tag: 't', fence: 1 }

describe('the lease keeper', () => {
  test('works on a thread that no code here can block, and ends when told to', async () => {
    const { errors, lines, onError, spec } = setUp()
    const keeper = new LeaseKeeper({ spec, onError })
    await keeper.start()
    keeper.limit(delivery, 20)
    // Nothing runs here meanwhile.
    const blockedUntil = performance.now() + 10_000
    while (performance.now() < blockedUntil && !lines().includes('abandon t'));
    expect(lines()).toEqual(['live', 'abandon t'])
    await keeper.stop()
    await keeper.stop()
    expect(lines().at(-1)).toBe('stopped')
    expect(errors).toEqual([expect.stringContaining('message t outlived its limit')])
  })

  test('gives nothing up that was settled in time', async () => {
    const { lines, onError, spec } = setUp()
    await using keeper = new LeaseKeeper({ spec, onError })
    await keeper.start()
    keeper.limit(delivery, 60)
    keeper.limit({ ...delivery, tag: 'other' }, 80)
    keeper.unlimit(delivery)
    await until(() => lines().includes('abandon other'))
    expect(lines()).not.toContain('abandon t')
  })

  test('passes on what its thread complains of', async () => {
    const { errors, onError, order, spec } = setUp()
    order('complain')
    await using keeper = new LeaseKeeper({ spec, onError })
    await keeper.start()
    await until(() => errors.length > 0)
    expect(errors).toEqual(['lease keeper: a complaint'])
  })

  test('replaces a thread that died, which then knows the limits that were set before', async () => {
    const { errors, lines, onError, order, spec } = setUp()
    await using keeper = new LeaseKeeper({ spec, onError })
    await keeper.start()
    keeper.limit(delivery, 1_000)
    order('exit')
    await until(() => errors.length > 0)
    order('live')
    await until(() => lines().filter((line) => line === 'live').length === 2)
    await until(() => lines().includes('abandon t'))
    expect(errors[0]).toContain('exit status 1')
  })

  test('that dies again and again says so, tries again with pauses, and can be stopped', async () => {
    const { errors, lines, onError, order, spec } = setUp()
    const keeper = new LeaseKeeper({ spec, onError })
    await keeper.start()
    const startedAt = performance.now()
    order('exit')
    await until(() => lines().filter((line) => line === 'exit').length >= 2)
    // 0.1 and 0.2 s
    expect(performance.now() - startedAt).toBeGreaterThan(250)
    expect(errors.every((error) => error.includes('exit status 1'))).toBe(true)
    order('live')
    await until(() => lines().at(-1) === 'live')
    await keeper.stop()
    expect(lines().at(-1)).toBe('stopped')
  })
})

test('a lease keeper that ends before it keeps anything cannot start', async () => {
  const { onError, order, spec } = setUp()
  order('die')
  const keeper = new LeaseKeeper({ spec, onError })
  await expect(keeper.start()).rejects.toThrow('ordered to die')
  await keeper.stop()
})

test('a lease keeper whose module is not there cannot start, and can be stopped', async () => {
  const { errors, onError, spec } = setUp()
  const module = new URL('./fixtures/nothing.mjs', import.meta.url)
  const keeper = new LeaseKeeper({ spec: { ...spec, module }, onError })
  await expect(keeper.start()).rejects.toThrow('nothing.mjs')
  await keeper.stop()
  expect(errors).toHaveLength(1)
})

describe("a worker's leases", () => {
  const capabilities = { leases: true } as BrokerConnection['capabilities']

  test('are kept by one thread at a time, that of the last connection', async () => {
    const first = setUp()
    const second = setUp()
    const leases = new BrokerLeases({ leaseMs: 1_000, held: () => [], onError: first.onError })
    const broker = ({ spec: leaseKeeper }: typeof first): BrokerConnection =>
      ({ capabilities, leaseKeeper }) as BrokerConnection
    await Promise.all([leases.keep(broker(first)), leases.keep(broker(second)), leases.keep(broker(first))])
    expect(first.lines()).toEqual(['live', 'stopped', 'live'])
    expect(second.lines()).toEqual(['live', 'stopped'])
    await leases.stop()
    expect(first.lines().at(-1)).toBe('stopped')
    await leases.keep(broker(second))
    expect(second.lines()).toEqual(['live', 'stopped'])
  })

  test('are renewed from here where the broker has no keeper', async () => {
    const renewed: (readonly DeliveryRef[])[] = []
    let held: readonly DeliveryRef[] = []
    const leases = new BrokerLeases({ leaseMs: 30, held: () => held, onError: () => {} })
    const renew = async (deliveries: readonly DeliveryRef[]) => {
      renewed.push(deliveries)
      return []
    }
    await leases.keep({ capabilities, leaseKeeper: undefined, renew } as unknown as BrokerConnection)
    held = [delivery]
    await until(() => renewed.length === 2)
    await leases.stop()
    expect(renewed).toEqual([[delivery], [delivery]])
  })
})
