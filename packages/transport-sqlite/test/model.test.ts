import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Database, openDatabase, SqliteWrite } from '@celery/sqlite'
import { type Delivery, deadLetterQueue, type SettleAction } from '@celery/transport'
import type { VirtualBroker } from '@celery/transport/virtual'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openSqliteBroker } from '../src/index.ts'

/** Far more than all steps of a run let pass, except the step that is about it. */
const leaseMs = 1_000_000

interface ModelMessage {
  readonly tag: string
  readonly priority: number
  state: 'ready' | 'delayed' | 'held' | 'ended' | 'dead'
  untilMs: number
  redeliveries: number
  holder: number
  delivery: Delivery | undefined
}

/** The simplest picture of one queue: a list in the order of arrival. */
class Model {
  readonly messages: ModelMessage[] = []
  readonly stale: Delivery[] = []
  readonly writes: string[] = []
  nowMs = 1_700_000_000_000

  inState(state: ModelMessage['state']): ModelMessage[] {
    return this.messages.filter((message) => message.state === state)
  }

  next(max: number): ModelMessage[] {
    return this.inState('ready')
      .sort((a, b) => b.priority - a.priority || this.messages.indexOf(a) - this.messages.indexOf(b))
      .slice(0, max)
  }

  leave(message: ModelMessage, state: ModelMessage['state']): void {
    if (message.delivery !== undefined) this.stale.push(message.delivery)
    message.state = state
    message.delivery = undefined
  }

  pass(ms: number): void {
    this.nowMs += ms
    for (const message of this.inState('delayed')) if (message.untilMs <= this.nowMs) message.state = 'ready'
    if (ms <= leaseMs) return
    for (const message of this.inState('held')) {
      message.redeliveries++
      this.leave(message, 'ready')
    }
  }
}

interface Real {
  readonly path: string
  readonly database: Database
  readonly brokers: VirtualBroker[]
  readonly now: () => number
}

type Step = (model: Model, real: Real) => Promise<void>

const broker = fc.nat({ max: 1 })
const which = fc.nat({ max: 20 })

const put = fc
  .record({
    by: broker,
    priority: fc.nat({ max: 9 }),
    count: fc.integer({ min: 1, max: 20 }),
    delayMs: fc.option(fc.nat(90)),
  })
  .map(({ by, priority, count, delayMs }): Step => {
    return async (model, real) => {
      const untilMs = model.nowMs + (delayMs ?? 0)
      const first = model.messages.length
      const tags = Array.from({ length: count }, (_, index) => `tag-${first + index}`)
      const payload = 'payload'
      const when = delayMs === null ? {} : { notBeforeMs: untilMs }
      const messages = tags.map((tag) => ({ queue: 'q', tag, payload, priority, ...when }))
      // The last one twice: a tag that is there is the same message.
      await real.brokers[by]?.put([...messages, ...messages.slice(-1)])
      const state = untilMs > model.nowMs ? 'delayed' : 'ready'
      for (const tag of tags) {
        model.messages.push({ tag, priority, state, untilMs, redeliveries: 0, holder: -1, delivery: undefined })
      }
    }
  })

const fetch = fc.record({ by: broker, max: fc.integer({ min: 1, max: 30 }) }).map(({ by, max }): Step => {
  return async (model, real) => {
    const expected = model.next(max)
    if (expected.length === 0) return
    const deliveries = (await real.brokers[by]?.fetch(['q'], { max, signal: AbortSignal.timeout(10_000) })) ?? []
    expect(deliveries.map(({ tag, redeliveries }) => [tag, redeliveries])).toEqual(
      expected.map(({ tag, redeliveries }) => [tag, redeliveries]),
    )
    for (const [index, message] of expected.entries()) {
      Object.assign(message, { state: 'held', holder: by, delivery: deliveries[index] })
    }
  }
})

const actions: fc.Arbitrary<SettleAction> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<SettleAction>({ type: 'ack' }) },
  fc.boolean().map((counted): SettleAction => ({ type: 'requeue', counted })),
  fc.record({ type: fc.constant('park' as const), untilMs: fc.nat(90), counted: fc.boolean() }),
  fc.constant<SettleAction>({ type: 'dead', reason: 'why not' }),
)

/** Several at once, some of them stale, each with a write that must happen if and only if it took effect. */
const settle = fc
  .record({ by: broker, parts: fc.array(fc.tuple(which, actions, fc.boolean()), { minLength: 1, maxLength: 6 }) })
  .map(({ by, parts }): Step => {
    return async (model, real) => {
      const settlements = []
      const expected: string[] = []
      for (const [index, drawn, useStale] of parts) {
        const action = drawn.type === 'park' ? { ...drawn, untilMs: model.nowMs + drawn.untilMs } : drawn
        const held = model.inState('held')
        const message = held[index % Math.max(held.length, 1)]
        const delivery = useStale ? model.stale[index % Math.max(model.stale.length, 1)] : message?.delivery
        if (delivery === undefined) continue
        const statement = new SqliteWrite('INSERT INTO written VALUES (?)', [delivery.tag])
        settlements.push({ delivery, action, writes: [{ domain: real.database.domain, statement }] })
        expected.push(useStale || message === undefined ? 'stale' : 'done')
        if (useStale || message === undefined) continue
        model.writes.push(message.tag)
        apply(model, message, action)
      }
      expect(await real.brokers[by]?.settle(settlements)).toEqual(expected)
    }
  })

function apply(model: Model, message: ModelMessage, action: SettleAction): void {
  switch (action.type) {
    case 'ack':
      model.leave(message, 'ended')
      break
    case 'requeue':
      if (action.counted) message.redeliveries++
      model.leave(message, 'ready')
      break
    case 'park':
      if (action.counted === true) message.redeliveries++
      message.untilMs = action.untilMs
      model.leave(message, action.untilMs > model.nowMs ? 'delayed' : 'ready')
      break
    case 'dead':
      model.leave(message, 'dead')
      break
  }
}

const pass = fc.nat(60).map(
  (ms): Step =>
    async (model) =>
      model.pass(ms),
)
const loseLeases = fc.constant<Step>(async (model) => model.pass(leaseMs + 1))
const reopen = broker.map((by): Step => {
  return async (model, real) => {
    await real.brokers[by]?.close()
    real.brokers[by] = await openSqliteBroker({ path: real.path, leaseMs, takeoverGraceMs: 0, now: real.now })
    for (const message of model.inState('held')) if (message.holder === by) model.leave(message, 'ready')
  }
})

const purge = broker.map((by): Step => {
  return async (model, real) => {
    const ready = model.inState('ready')
    expect(await real.brokers[by]?.purge('q')).toBe(ready.length)
    for (const message of ready) model.leave(message, 'ended')
  }
})

const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: put },
    { weight: 4, arbitrary: fetch },
    { weight: 5, arbitrary: settle },
    { weight: 2, arbitrary: pass },
    { weight: 1, arbitrary: loseLeases },
    { weight: 1, arbitrary: reopen },
    { weight: 1, arbitrary: purge },
  ),
  { maxLength: 40, size: 'max' },
)

test('agrees with a list of messages, whatever happens to them and in whatever order', {
  timeout: 60_000,
}, async () => {
  await fc.assert(fc.asyncProperty(steps, runSteps), { numRuns: 60, interruptAfterTimeLimit: 20_000 })
})

/** What schema.ts promises: each message is in one place, ranges are full or end with one, and nothing is in them twice. */
const brokenRulesSql = `
  WITH place (what, id) AS (
    SELECT 'ready', m.id FROM ready r JOIN message m ON m.id BETWEEN r.first AND r.last AND m.queue = r.queue
    UNION ALL SELECT 'delayed', message FROM delayed
    UNION ALL SELECT 'held', m.id FROM claim c JOIN message m ON m.id BETWEEN c.first AND c.last AND m.queue = c.queue
  )
  SELECT 'places', id, group_concat(what) FROM message LEFT JOIN place USING (id) GROUP BY id HAVING count(what) <> 1
  UNION ALL SELECT 'ready', first, last FROM ready
    WHERE (SELECT count(*) FROM message m WHERE m.id BETWEEN first AND last) <> last - first + 1
  UNION ALL SELECT 'claim', first, last FROM claim WHERE NOT EXISTS (SELECT 1 FROM message m WHERE m.id = last)
  UNION ALL SELECT 'overlap', c.first, d.first FROM claim c JOIN claim d ON (d.number, d.first) > (c.number, c.first)
    WHERE d.first <= c.last AND d.last >= c.first AND c.number = d.number`

async function runSteps(sequence: readonly Step[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'celery-model-'))
  const path = join(folder, 'queue.db')
  const model = new Model()
  const now = (): number => model.nowMs
  const open = (): Promise<VirtualBroker> => openSqliteBroker({ path, leaseMs, takeoverGraceMs: 0, now })
  const real: Real = { path, database: await openDatabase(path), brokers: [await open(), await open()], now }
  real.database.exec('CREATE TABLE written (tag TEXT)')
  try {
    for (const step of sequence) {
      await step(model, real)
      expect(await real.brokers[0]?.declareQueue({ name: 'q' })).toEqual({
        name: 'q',
        ready: model.inState('ready').length,
        delayed: model.inState('delayed').length,
        held: model.inState('held').length,
      })
      expect(real.database.prepare(brokenRulesSql).values([])).toEqual([])
    }
    const { ready: dead } = (await real.brokers[0]?.declareQueue({ name: deadLetterQueue('q') })) ?? {}
    expect(dead).toBe(model.inState('dead').length)
    const written = real.database.prepare('SELECT tag FROM written ORDER BY rowid').values([])
    expect(written.map(([tag]) => tag)).toEqual(model.writes)
    expect(real.database.integrityCheck()).toEqual([])
  } finally {
    for (const opened of real.brokers) await opened.close()
    real.database.close()
    await rm(folder, { recursive: true })
  }
}
