import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Celery } from '@celery/app'
import { ManualClock } from '@celery/promises'
import type { BrokerConnection, DeliveryRef, LeaseKeeperSpec, Transport } from '@celery/transport'
import { memoryTransport } from '@celery/transport-memory'
import { describe, expect, onTestFinished, test } from 'vitest'
import { BrokerLeases } from '../src/broker-leases.ts'
import { createWorker } from '../src/index.ts'
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
    journal,
    orders,
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

  test('tells deliveries of one message apart, and messages of one tag in two queues', async () => {
    const { lines, onError, spec } = setUp()
    await using keeper = new LeaseKeeper({ spec, onError })
    await keeper.start()
    const again = { ...delivery, fence: 2 }
    const elsewhere = { ...delivery, queue: 'r' }
    for (const each of [delivery, again, elsewhere]) keeper.limit(each, 60)
    // The first run has ended at last: the second one is still limited, and so is the other message.
    keeper.unlimit(delivery)
    await until(() => lines().filter((line) => line === 'abandon t').length === 2)
    keeper.limit({ ...delivery, tag: 'last' }, 1)
    await until(() => lines().includes('abandon last'))
    expect(lines()).toEqual(['live', 'abandon t', 'abandon t', 'abandon last'])
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
    const clock = new ManualClock()
    const keeper = new LeaseKeeper({ spec, onError, clock })
    await keeper.start()
    order('exit')
    // Each twice as long as the one before, a quarter less at most.
    for (const [deaths, longestMs] of [100, 200, 400].entries()) {
      await until(() => clock.pending === 1)
      expect(errors).toHaveLength(deaths + 1)
      clock.advance(longestMs * 0.75 - 1)
      expect(clock.pending).toBe(1)
      clock.advance(longestMs * 0.25 + 1)
      expect(clock.pending).toBe(0)
    }
    await until(() => clock.pending === 1)
    expect(lines()).toEqual(['live', 'exit', 'exit', 'exit'])
    expect(errors.every((error) => error.includes('exit status 1'))).toBe(true)
    order('live')
    clock.advance(5_000)
    await until(() => lines().at(-1) === 'live')
    await keeper.stop()
    expect(lines().at(-1)).toBe('stopped')
  })
})

test('a lease keeper amid a call that takes long is not torn out of it: that would end the process', async () => {
  const { lines, onError, order, spec } = setUp()
  order('slow')
  const keeper = new LeaseKeeper({ spec, onError })
  await keeper.start()
  await keeper.stop()
  expect(lines()).toEqual(['slow', 'stopped'])
})

test('P-10 a lease keeper amid a call that does not return holds the stop up for 1.5 s, and says so', async () => {
  const { errors, lines, onError, order, spec } = setUp()
  order('stuck')
  const keeper = new LeaseKeeper({ spec, onError })
  await keeper.start()
  await Promise.all([keeper.stop(), keeper.stop()])
  expect(lines()).toEqual(['stuck'])
  expect(errors).toEqual([expect.stringContaining('amid a call that does not return')])
  // It is left to end by itself.
  await until(() => lines().includes('stopped'))
})

test('a process that exits meanwhile lets the lease keeper end, and keeps its status', async () => {
  const { journal, lines, order, orders } = setUp()
  order('stuck')
  const program = new URL('./fixtures/exit-amid-call.mjs', import.meta.url)
  const child = spawn(process.execPath, [program.pathname, journal, orders], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  let output = ''
  child.stdout.on('data', (data) => {
    output += String(data)
  })
  const [status] = await once(child, 'close')
  expect(status).toBe(7)
  expect(output).toContain('amid a call that does not return')
  expect(lines()).toEqual(['stuck', 'stopped'])
})

test('a lease keeper that does not hear that it is to stop is stopped all the same', async () => {
  const { lines, onError, order, spec } = setUp()
  order('deaf')
  const keeper = new LeaseKeeper({ spec, onError })
  await keeper.start()
  await keeper.stop()
  expect(lines()).toEqual(['deaf'])
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
  const broker = (leaseKeeper: LeaseKeeperSpec): BrokerConnection => ({ capabilities, leaseKeeper }) as BrokerConnection

  test('are kept by the thread of the last connection only', async () => {
    const first = setUp()
    const second = setUp()
    const leases = new BrokerLeases({ leaseMs: 1_000, held: () => [], onError: first.onError })
    for (const { spec } of [first, second, first]) await leases.keep(broker(spec))
    await until(() => first.lines().includes('stopped') && second.lines().includes('stopped'))
    await leases.stop()
    expect(first.lines().toSorted()).toEqual(['live', 'live', 'stopped', 'stopped'])
    expect(second.lines()).toEqual(['live', 'stopped'])
    await leases.keep(broker(second.spec))
    expect(second.lines()).toEqual(['live', 'stopped'])
  })

  test('of a session are kept by one keeper, whichever of its connections lives', async () => {
    const { lines, onError, spec } = setUp()
    const leases = new BrokerLeases({ leaseMs: 1_000, held: () => [], onError })
    const connection = (): BrokerConnection => ({
      ...broker({ ...spec, data: { ...(spec.data as object) } }),
      capabilities: { ...capabilities, sessions: true },
    })
    for (let reconnects = 0; reconnects < 3; reconnects++) await leases.keep(connection())
    expect(lines()).toEqual(['live'])
    await leases.stop()
    expect(lines()).toEqual(['live', 'stopped'])
  })

  test('of connections that came and went at once are not kept', async () => {
    const first = setUp()
    const second = setUp()
    const leases = new BrokerLeases({ leaseMs: 1_000, held: () => [], onError: first.onError })
    await Promise.all([first, second, first].map(({ spec }) => leases.keep(broker(spec))))
    expect([first.lines(), second.lines()]).toEqual([['live'], []])
    await leases.stop()
  })

  test('of the next connection are kept, and kept no longer, though those of the one before never could be', async () => {
    const stuck = setUp()
    const next = setUp()
    stuck.order('wait')
    const leases = new BrokerLeases({ leaseMs: 1_000, held: () => [], onError: stuck.onError })
    const never = leases.keep(broker(stuck.spec))
    await until(() => stuck.lines().includes('wait'))
    await leases.keep(broker(next.spec))
    await never
    await until(() => stuck.lines().length === 2)
    expect([stuck.lines(), next.lines()]).toEqual([['wait', 'stopped'], ['live']])

    const again = leases.keep(broker(stuck.spec))
    await until(() => stuck.lines().at(-1) === 'wait')
    await leases.stop()
    await again
    expect(stuck.lines().at(-1)).toBe('stopped')
  })

  test('of the next connection are kept at once, though the keeper of the one before cannot end', async () => {
    const stuck = setUp()
    const next = setUp()
    stuck.order('stuck')
    const leases = new BrokerLeases({ leaseMs: 1_000, held: () => [], onError: stuck.onError })
    await leases.keep(broker(stuck.spec))
    await leases.keep(broker(next.spec))
    expect([stuck.lines(), next.lines()]).toEqual([['stuck'], ['live']])
    await leases.stop()
    expect(stuck.errors).toEqual([expect.stringContaining('amid a call that does not return')])
    await until(() => stuck.lines().includes('stopped'))
  })

  test('have the limits that were set while one keeper follows another', async () => {
    const first = setUp()
    const second = setUp()
    const leases = new BrokerLeases({ leaseMs: 1_000, held: () => [], onError: first.onError })
    leases.limit({ ...delivery, tag: 'before' }, 1)
    leases.limit({ ...delivery, tag: 'settled before' }, 1)
    leases.unlimit({ ...delivery, tag: 'settled before' })
    await leases.keep(broker(first.spec))
    await until(() => first.lines().includes('abandon before'))
    leases.limit({ ...delivery, tag: 'of the first' }, 500)
    const changing = leases.keep(broker(second.spec))
    leases.limit({ ...delivery, tag: 'between' }, 1)
    await changing
    await until(() => second.lines().includes('abandon between') && second.lines().includes('abandon of the first'))
    await leases.stop()
    expect([...first.lines(), ...second.lines()]).not.toContain('abandon settled before')
  })

  test('that cannot be kept hold up the start of a worker, but not its stop', async () => {
    const { lines, order, spec } = setUp()
    order('wait')
    const memory = memoryTransport()
    const transport: Transport = {
      ...memory,
      async open(address, options) {
        const opened = await memory.open(address, options)
        return Object.assign(opened, { capabilities: { ...opened.capabilities, leases: true }, leaseKeeper: spec })
      },
    }
    const app = new Celery('test', { broker: 'keeper://', notify: () => {} })
    app.transports.register('keeper', async () => transport)
    onTestFinished(() => app.close())
    const worker = createWorker(app, { concurrency: 1, logLevel: 'critical' })
    const starting = worker.start()
    starting.catch(() => {})
    await until(() => lines().includes('wait'))
    await worker.stop()
    await expect(starting).rejects.toMatchObject({ code: 'ERR_CELERY_BLUEPRINT_STOPPED' })
    expect(lines()).toEqual(['wait', 'stopped'])
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
