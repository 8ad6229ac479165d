import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { envelope, HostileScene } from './hostile-scene.ts'

/** What a callback may be told of how it is to be sent, by whoever sent the task that it follows. */
const options: readonly [what: string, options: Readonly<Record<string, unknown>>][] = [
  ['a queue with NUL in its name', { queue: 'a\0b' }],
  ['a queue that is an object', { queue: { name: 'x' } }],
  ['a queue of 10,000 characters', { queue: 'x'.repeat(10_000) }],
  ['a routing key with NUL', { exchange: '', routing_key: 'a\0b' }],
  ['an exchange that is not there', { exchange: 'nowhere', routing_key: 'x' }],
  ['a queue called __proto__', { queue: '__proto__' }],
  ['a queue that is half a character', { queue: '\ud800' }],
  ['an id with NUL', { task_id: 'a\0b' }],
  ['an id that is a list', { task_id: [] }],
  ['a priority that is text', { priority: 'high' }],
  ['a priority beyond all', { priority: 1e300 }],
  ['an eta that is none', { eta: 'soon' }],
  ['a countdown beyond all time', { countdown: 1e300 }],
  ['a serializer there is not', { serializer: 'nope' }],
  ['a serializer that is not accepted', { serializer: 'pickle' }],
  ['a compression there is not', { compression: 'nope' }],
  ['headers that are text', { headers: 'x' }],
  ['headers called __proto__', { headers: JSON.parse('{"__proto__": {"polluted": true}}') }],
  ['a time limit that is text', { time_limit: 'x' }],
  ['a reply queue with NUL', { reply_to: 'a\0b' }],
  ['expiry that is an object', { expires: {} }],
]

describe.each([
  ['late', true],
  ['early', false],
])('a callback of a task with %s ack', (_when, taskAcksLate) => {
  let hostile: HostileScene
  beforeAll(async () => {
    hostile = await HostileScene.open({ settings: { taskAcksLate } }, '-c', '1', '-P', 'async')
  })
  afterAll(async () => {
    const status = await hostile.worker.stop()
    await hostile[Symbol.asyncDispose]()
    expect(status).toBe(0)
  })

  test.each(options)('that is to be sent with %s: its task ends, and others run', async (what, given) => {
    const { scene, worker } = hostile
    const id = what.replaceAll(/[^a-z0-9]+/gi, '-')
    const callback = { task: 'echo', args: [], kwargs: {}, options: given, subtask_type: null, immutable: true }
    const embed = { callbacks: [callback], errbacks: null, chain: null, chord: null }
    await hostile.put(envelope({ headers: { id }, body: JSON.stringify([[1], {}, embed]) }))
    expect(await scene.outcome(id)).toMatch(/^(SUCCESS 1|FAILURE )/)
    expect(await scene.value(await scene.send('add', 2, 3))).toBe(5)
    await scene.untilEmpty()
    expect(worker.process.exitCode).toBeNull()
  })

  test('nothing has changed what every object has', async () => {
    await hostile.expectNothingPolluted()
  })
})

describe('P-2 with reliability "safe", of a pool of processes', () => {
  let hostile: HostileScene
  beforeAll(async () => {
    hostile = await HostileScene.open({ settings: { reliability: 'safe' } }, '-c', '2', '-P', 'prefork')
  })
  afterAll(async () => {
    const status = await hostile.worker.stop()
    await hostile[Symbol.asyncDispose]()
    expect(status).toBe(0)
  })

  test('a task whose message has a header as deep as may be is tried again as often as it asks for', async () => {
    const { scene } = hostile
    let deep: unknown = 'down here'
    for (let depth = 0; depth < 97; depth++) deep = { in: deep }
    await hostile.put(envelope({ headers: { id: 'deep', task: 'once-more', deep }, body: '[[], {}, {}]' }))
    expect(await scene.outcome('deep')).toBe('SUCCESS done')
    expect(scene.starts('deep')).toHaveLength(2)
    await scene.untilEmpty()
  })

  test('a task whose result is too large to leave its process is run once, and fails', async () => {
    const { scene, worker } = hostile
    const id = await scene.send('text', 256 * 1024 * 1024)
    const failure = await scene.outcome(id)
    expect(failure).toMatch(
      /^FAILURE .*OutcomeUntoldError.* result and follow-ups together are too large to leave its process/,
    )
    expect(failure).toContain('return less, or a reference to where the data is')
    expect(scene.starts(id)).toHaveLength(1)
    expect(worker.log).not.toContain('ended before it')
    expect(await scene.value(await scene.send('add', 2, 3))).toBe(5)
  })
})
