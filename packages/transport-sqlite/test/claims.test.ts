import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Database, openDatabase, SqliteWrite } from '@celery/sqlite'
import type { Delivery, SettleAction } from '@celery/transport'
import type { VirtualBroker } from '@celery/transport/virtual'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openSqliteBroker } from '../src/index.ts'

const leaseMs = 10_000

describe('a delivery that was fetched with others', () => {
  test('can be acknowledged once, in one batch or in two', async () => {
    const { open, left } = await setUp()
    const broker = await open()
    await put(broker, 'abc')
    const [a, b, c] = await fetch(broker, 3)
    expect(await settle(broker, [a, b, a])).toEqual(['done', 'done', 'stale'])
    expect(await settle(broker, [b, c])).toEqual(['stale', 'done'])
    expect(left()).toEqual({ messages: 0, ready: 0, claims: 0 })
  })

  test('can be given back while others are acknowledged, and is another one’s from then on', async () => {
    const { open, left } = await setUp()
    const [first, second] = [await open(), await open()]
    await put(first, 'abcde')
    const [a, b, c, d, e] = await fetch(first, 5)
    const requeue = (delivery: Delivery | undefined) => ({
      delivery,
      action: { type: 'requeue', counted: true } as const,
    })
    expect(await settle(first, [a, requeue(b), c, requeue(d)])).toEqual(['done', 'done', 'done', 'done'])
    const again = await fetch(second, 5)
    expect(again.map(({ tag, redeliveries }) => [tag, redeliveries])).toEqual([
      ['b', 1],
      ['d', 1],
    ])
    expect(await settle(first, [b, d, e])).toEqual(['stale', 'stale', 'done'])
    expect(await settle(second, again)).toEqual(['done', 'done'])
    expect(left()).toEqual({ messages: 0, ready: 0, claims: 0 })
  })

  test('is stale when its owner was taken over, and stays so when its message was taken again', async () => {
    const { clock, open, left } = await setUp()
    const [lost, other] = [await open(), await open()]
    await put(lost, 'abc')
    const old = await fetch(lost, 3)
    await settle(lost, old.slice(1, 2))
    clock.nowMs += leaseMs + 1
    const again = await fetch(other, 3)
    expect(again.map(({ tag, redeliveries }) => [tag, redeliveries])).toEqual([
      ['a', 1],
      ['c', 1],
    ])
    expect(await settle(lost, old)).toEqual(['stale', 'stale', 'stale'])
    expect(await settle(other, again)).toEqual(['done', 'done'])
    expect(left()).toEqual({ messages: 0, ready: 0, claims: 0 })
  })

  test('does not hold a later message that has got the id of one that it held', async () => {
    const { open } = await setUp()
    const broker = await open()
    await put(broker, 'abc')
    const [a, b, c] = await fetch(broker, 3)
    await settle(broker, [b, c])
    // Ids begin anew behind the highest there is.
    await put(broker, 'de')
    expect(await settle(broker, [b, c])).toEqual(['stale', 'stale'])
    expect(await broker.declareQueue({ name: 'q' })).toMatchObject({ ready: 2, held: 1 })
    await broker.close()
    const next = await fetch(await open(), 9)
    expect(next.map(({ tag }) => tag)).toEqual(['a', 'd', 'e'])
    expect(a?.tag).toBe('a')
  })

  test('is held again when the transaction that ended the last of them was rolled back', async () => {
    const { open, left, database } = await setUp()
    const broker = await open()
    await put(broker, 'ab')
    const [a, b] = await fetch(broker, 2)
    const statement = new SqliteWrite('INSERT INTO missing_table VALUES (?)', [1])
    database.exec('CREATE TABLE missing_table (id INTEGER CHECK (id = 2))')
    const writes = [{ domain: broker.domain ?? '', statement }]
    await expect(broker.settle([{ delivery: a as Delivery }, { delivery: b as Delivery, writes }])).rejects.toThrow()
    expect(left()).toEqual({ messages: 2, ready: 0, claims: 1 })
    expect(await settle(broker, [a, b])).toEqual(['done', 'done'])
    expect(left()).toEqual({ messages: 0, ready: 0, claims: 0 })
  })
})

test('fetches leave nothing behind, however their messages end', async () => {
  const { clock, open, left } = await setUp()
  const broker = await open()
  await broker.declareQueue({ name: 'q', messageTtlMs: leaseMs / 4 })
  const actions: (SettleAction | undefined)[] = [
    undefined,
    { type: 'requeue', counted: false },
    { type: 'park', untilMs: clock.nowMs + 10 },
    { type: 'dead', reason: 'why not' },
  ]
  for (let round = 0; round < 40; round++) {
    await broker.put(
      Array.from({ length: 9 }, (_, index) => ({
        queue: 'q',
        tag: `${round}.${index}`,
        payload: 'body',
        priority: round % 3 === 0 ? index % 2 : 0,
      })),
    )
    const deliveries = await fetch(broker, 7)
    const parts = deliveries.map((delivery, index) => {
      const action = actions[(index * round) % actions.length]
      return action === undefined ? { delivery } : { delivery, action }
    })
    await broker.settle(parts.slice(3))
    await broker.settle(parts.slice(0, 3).reverse())
    clock.nowMs += 5
    expect(left().claims).toBe(0)
  }
  // What is left outlives the queue's limit while nobody looks.
  clock.nowMs += leaseMs / 2
  await put(broker, 'z')
  const last = await fetch(broker, 9)
  expect(last.map(({ tag }) => tag)).toEqual(['z'])
  expect(await settle(broker, last)).toEqual(['done'])
  await broker.deleteQueue('q.dead')
  expect(left()).toEqual({ messages: 0, ready: 0, claims: 0 })
})

test('messages that are put together are one range, whoever else puts at the same time', async () => {
  const { open, left } = await setUp()
  const broker = await open()
  const message = (tag: string, queue: string, priority = 0) => ({ queue, tag, payload: 'body', priority })
  await broker.put([
    message('a', 'q'),
    message('b', 'other'),
    message('c', 'q'),
    message('d', 'q', 9),
    message('a', 'q'),
  ])
  expect(left()).toEqual({ messages: 4, ready: 3, claims: 0 })
  await broker.put([message('c', 'q'), message('e', 'q'), message('a', 'other')])
  expect((await fetch(broker, 9)).map(({ tag }) => tag)).toEqual(['d', 'a', 'c', 'e'])
  const other = await broker.fetch(['other'], { max: 9, signal: AbortSignal.timeout(10_000) })
  expect(other.map(({ tag }) => tag)).toEqual(['b', 'a'])
})

test('what has outlived its queue’s limit goes from the middle of a range, too', async () => {
  const { clock, open, left } = await setUp()
  const broker = await open()
  await broker.declareQueue({ name: 'q', messageTtlMs: 1_000 })
  await put(broker, 'ab')
  // A clock that was set back makes an earlier message live longer.
  clock.nowMs -= 500
  await put(broker, 'cd')
  clock.nowMs += 400
  await put(broker, 'ef')
  clock.nowMs += 700
  expect(await broker.declareQueue({ name: 'q' })).toMatchObject({ ready: 4 })
  expect(left()).toEqual({ messages: 4, ready: 2, claims: 0 })
  expect((await fetch(broker, 9)).map(({ tag }) => tag)).toEqual(['a', 'b', 'e', 'f'])
})

test('a delivery of one file means nothing in another', async () => {
  const [one, two] = [await setUp(), await setUp()]
  const brokers = [await one.open(), await two.open()]
  const [here, there] = await Promise.all(
    brokers.map(async (broker) => {
      await put(broker, 'a')
      return fetch(broker, 1)
    }),
  )
  expect(await settle(brokers[1] as VirtualBroker, here ?? [])).toEqual(['stale'])
  expect(await settle(brokers[1] as VirtualBroker, there ?? [])).toEqual(['done'])
})

test('a tag that no file can hold is refused, and those put beside it are there', async () => {
  const { open } = await setUp()
  const broker = await open()
  await put(broker, 'a')
  const odd = broker.put([{ queue: 'q', tag: 'b\ud800', payload: 'body', priority: 0 }])
  const good = put(broker, 'ac')
  await expect(odd).rejects.toThrow('half a surrogate pair')
  await good
  expect((await fetch(broker, 5)).map(({ tag }) => tag)).toEqual(['a', 'c'])
})

test('a dead letter has its reason and its limit, even if somebody declared its queue before', async () => {
  const { clock, open, left } = await setUp()
  const broker = await open()
  await broker.declareQueue({ name: 'q.dead', durable: true })
  await put(broker, 'ab')
  const both = await fetch(broker, 2)
  await settle(
    broker,
    both.map((delivery) => ({ delivery, action: { type: 'dead', reason: 'why not' } })),
  )
  const dead = await broker.fetch(['q.dead'], { max: 1, signal: AbortSignal.timeout(10_000) })
  expect(dead).toMatchObject([{ tag: 'a', deadReason: 'why not' }])
  await settle(broker, dead)
  clock.nowMs += 8 * 24 * 3_600_000
  expect(await broker.declareQueue({ name: 'q.dead' })).toMatchObject({ ready: 0 })
  expect(left()).toEqual({ messages: 0, ready: 0, claims: 0 })
})

test('refuses a file of another layout, and says what to do', async () => {
  const { path, open, database } = await setUp()
  database.exec('CREATE TABLE held (delivery INTEGER PRIMARY KEY)')
  database.exec('PRAGMA user_version = 1')
  await expect(open()).rejects.toThrow(`${path} holds queues in another layout (1, not 2): move it away`)
})

type Part = Delivery | undefined | { readonly delivery: Delivery | undefined; readonly action: SettleAction }

function settle(broker: VirtualBroker, parts: readonly Part[]) {
  return broker.settle(
    parts.map((part) => {
      if (part !== undefined && 'action' in part) return { delivery: part.delivery as Delivery, action: part.action }
      return { delivery: part as Delivery }
    }),
  )
}

function put(broker: VirtualBroker, tags: string): Promise<void> {
  return broker.put([...tags].map((tag) => ({ queue: 'q', tag, payload: 'body', priority: 0 })))
}

function fetch(broker: VirtualBroker, max: number): Promise<readonly Delivery[]> {
  return broker.fetch(['q'], { max, signal: AbortSignal.timeout(10_000) })
}

interface Scene {
  readonly path: string
  readonly database: Database
  readonly clock: { nowMs: number }
  open(): Promise<VirtualBroker>
  /** Rows in the file. */
  left(): { readonly messages: number; readonly ready: number; readonly claims: number }
}

async function setUp(): Promise<Scene> {
  const folder = await mkdtemp(join(tmpdir(), 'celery-claims-'))
  const path = join(folder, 'queue.db')
  const clock = { nowMs: 1_000_000 }
  const database = await openDatabase(path)
  onTestFinished(async () => {
    database.close()
    await rm(folder, { recursive: true })
  })
  const count = (table: string): number => Number(database.prepare(`SELECT count(*) FROM ${table}`).values([])[0]?.[0])
  return {
    path,
    database,
    clock,
    async open() {
      const broker = await openSqliteBroker({ path, leaseMs, takeoverGraceMs: 0, now: () => clock.nowMs })
      onTestFinished(() => broker.close())
      return broker
    },
    left: () => ({ messages: count('message'), ready: count('ready'), claims: count('claim') }),
  }
}
