import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Scene, until, untilAsync, type WorkerProcess } from './scene.ts'

/** One worker for all of them: that it is still there for the next test is part of each. */
let scene: Scene
let worker: WorkerProcess

beforeAll(async () => {
  scene = new Scene({ settings: { taskAcksLate: true, leaseMs: 1_500 } })
  worker = await scene.startWorker('-c', '2', '--max-tasks-per-child', '50')
})

afterAll(async () => {
  const status = await worker.stop()
  await scene[Symbol.asyncDispose]()
  expect(status).toBe(0)
})

/** Puts a message into the queue that no client of ours would send. */
async function put(headers: Readonly<Record<string, unknown>>, body: string): Promise<void> {
  const connection = scene.client.connectionForWrite()
  try {
    const message = { headers, properties: {}, body, contentType: 'application/json', contentEncoding: 'utf-8' }
    await (await connection.broker()).publish([{ exchange: '', routingKey: 'celery', message }])
  } finally {
    await connection.close()
  }
}

/** A good task runs, and the log is here as far as what was said of it. */
async function expectItStillWorks(): Promise<void> {
  const id = await scene.send('add', 2, 2)
  expect(await scene.value(id)).toBe(4)
  await worker.untilLogged(`add[${id}] succeeded`)
}

describe('what cannot be run', () => {
  test('H-11 an unknown task fails as not registered and goes to the dead letters', async () => {
    const id = await scene.send('nobody.knows')
    expect(await scene.outcome(id)).toMatch(/^FAILURE NotRegistered: .*nobody\.knows/)
    const [dead] = await scene.deadLetters()
    expect(dead?.deadReason).toContain('nobody.knows')
    await expectItStillWorks()
  })

  test.each(['__proto__', 'constructor', 'toString'])('H-12 %s is an unknown task like any other', async (name) => {
    expect(await scene.outcome(await scene.send(name))).toMatch(/^FAILURE NotRegistered/)
    await scene.deadLetters()
    await expectItStillWorks()
  })

  const chord = { task: 'add', args: [], kwargs: {}, options: {}, subtask_type: null, immutable: false }
  const group = { ...chord, task: 'celery.group', subtask_type: 'group', kwargs: { tasks: [] } }
  test.each([
    ['a chord', { callbacks: null, errbacks: null, chain: null, chord }],
    ['a group among its callbacks', { callbacks: [group], errbacks: null, chain: null, chord: null }],
  ])('a message with %s does not run: it fails and goes to the dead letters', async (_what, embed) => {
    const id = crypto.randomUUID()
    await put({ lang: 'py', task: 'add', id, root_id: id }, JSON.stringify([[1, 2], {}, embed]))
    expect(await scene.outcome(id)).toMatch(/^FAILURE .*CompositeSignatureError/)
    const [dead] = await scene.deadLetters()
    expect(dead?.deadReason).toMatch(/chord|group/)
    expect(scene.starts(id)).toEqual([])
    await expectItStillWorks()
  })

  test.each([
    ['H-06 headers of no task', {}, '[[], {}, {}]'],
    ['H-14 a time that is none', { lang: 'py', task: 'add', id: 'h-14', eta: 'soon' }, '[[1, 2], {}, {}]'],
    ['H-15 a time limit that is none', { lang: 'py', task: 'add', id: 'h-15', timelimit: 'abc' }, '[[1, 2], {}, {}]'],
    ['H-17 an id that is none', { lang: 'py', task: 'add', id: { a: 1 } }, '[[1, 2], {}, {}]'],
    ['a body that is no JSON', { lang: 'py', task: 'add', id: 'no-json' }, '{'],
    ['H-18 arguments of the wrong shape', { lang: 'py', task: 'add', id: 'h-18' }, '{"a": 1}'],
  ])(
    '%s: the message goes to the dead letters with one line in the log, and the next one runs',
    async (_what, headers, body) => {
      const before = worker.log.split('ERROR').length
      await put(headers, body)
      const [dead] = await scene.deadLetters()
      expect(dead?.deadReason).toBeTruthy()
      await expectItStillWorks()
      expect(worker.log.split('ERROR').length - before).toBe(1)
    },
  )

  test('H-32 names and errors cannot forge lines of the log', async () => {
    const forged = '2030-01-01 ERROR forged'
    await put({ lang: 'py', task: `x\r\n[${forged}\u001b[2J`, id: 'forger' }, '[[], {}, {}]')
    await scene.deadLetters()
    await scene.outcome(await scene.send('fail', `y\n[${forged}`))
    await until(() => worker.log.split(forged).length >= 3, 'both to be logged')
    expect(worker.log).not.toContain('\u001b')
    expect(worker.log.split('\n').filter((line) => line.startsWith(`[${forged}`))).toEqual([])
  })
})

describe('when a task runs', () => {
  test('an expired one does not: it is revoked', async () => {
    const { id } = await scene.client.sendTask('add', [1, 2], { expires: new Date(Date.now() - 1_000) })
    expect(await scene.outcome(id)).toMatch(/^REVOKED/)
    expect(scene.starts(id)).toEqual([])
  })

  test('one with a countdown waits outside of the lease, and runs on time', async () => {
    const sentAt = Date.now()
    // Longer than the lease: if it were held meanwhile, and not renewed, it would come back.
    const { id } = await scene.client.sendTask('add', [1, 2], { countdown: 2 })
    expect(await scene.queue()).toMatchObject({ delayed: 1, held: 0 })
    expect(await scene.value(id)).toBe(3)
    const [start] = scene.starts(id)
    expect(start?.at).toBeGreaterThanOrEqual(sentAt + 2_000)
    expect(start?.at).toBeLessThan(sentAt + 4_000)
    expect(scene.starts(id)).toHaveLength(1)
  })

  test('one with an eta from another program is parked and runs on time', async () => {
    const id = crypto.randomUUID()
    const dueMs = Date.now() + 1_500
    const eta = new Date(dueMs).toISOString()
    await put({ lang: 'py', task: 'add', id, root_id: id, eta }, '[[1, 2], {}, {"callbacks": null}]')
    await until(() => worker.log.includes(id), 'it to be received')
    expect(scene.starts(id)).toEqual([])
    expect(await scene.value(id)).toBe(3)
    expect(scene.starts(id)[0]?.at).toBeGreaterThanOrEqual(dueMs)
  })

  test('its soft limit aborts its signal, and nothing more', async () => {
    const { id } = await scene.client.sendTask('until-aborted', [], { softTimeLimit: 0.2 })
    expect(await scene.outcome(id)).toMatch(/^FAILURE SoftTimeLimitExceeded/)
    await expectItStillWorks()
  })

  test('its hard limit ends its process, also when it blocks', async () => {
    const startedAt = performance.now()
    const { id } = await scene.client.sendTask('block', [60_000], { timeLimit: 0.5 })
    expect(await scene.outcome(id)).toMatch(/^FAILURE TimeLimitExceeded/)
    expect(performance.now() - startedAt).toBeLessThan(5_000)
    await until(() => worker.children().length === 2, 'a new process')
    await expectItStillWorks()
  })

  test('a long one keeps its lease and runs once, even though it blocks', async () => {
    const id = await scene.send('block', 3_500)
    expect(await scene.outcome(id)).toBe('SUCCESS null')
    expect(scene.starts(id)).toHaveLength(1)
  })

  test('it is STARTED meanwhile where that is tracked', async () => {
    const id = await scene.send('tracked', 1_000)
    await untilAsync(async () => (await scene.state(id)) === 'STARTED', 'its state to say so')
    expect(scene.ends(id)).toEqual([])
    expect(await scene.outcome(id)).toBe('SUCCESS null')
  })

  test('nothing is kept of one that ignores its result', async () => {
    const { id } = await scene.client.sendTask('ignored', [], { ignoreResult: true })
    await until(() => scene.ends(id).length === 1, 'it to end')
    await scene.untilEmpty()
    expect(await scene.state(id)).toBe('PENDING')
  })

  test('integers beyond 2^53 in its headers arrive as they were sent', async () => {
    const { id } = await scene.client.sendTask('headers', [], { headers: { big: 2n ** 64n } })
    expect(await scene.value(id)).toBe('18446744073709551616')
  })

  test('what follows it may be compressed', async () => {
    const link = scene.client.signature('text', [], { compression: 'gzip', immutable: true } as never)
    const parent = await scene.client.sendTask('add', [500, 500], { link } as never)
    expect(await scene.value(parent.id)).toBe(1_000)
    await until(() => scene.ends().some(({ task }) => task === 'text'), 'the callback to run')
  })
})

test('a process is replaced after so many tasks', async () => {
  const before = new Set(worker.children())
  const ids = await Promise.all(Array.from({ length: 150 }, (_, n) => scene.send('add', n, 0)))
  expect(await Promise.all(ids.map((id) => scene.value(id)))).toEqual(Array.from({ length: 150 }, (_, n) => n))
  await until(() => worker.children().length === 2, 'the processes to be replaced')
  expect(worker.children().filter((pid) => before.has(pid))).toEqual([])
  for (const id of ids) expect(scene.starts(id)).toHaveLength(1)
})

describe('in the async pool', () => {
  test('limits: the signal aborts at the soft one; at the hard one it fails, and nothing that comes later changes that', async () => {
    await using own = new Scene({ settings: { taskAcksLate: true } })
    const one = await own.startWorker('-P', 'async', '-c', '1')
    const soft = await own.client.sendTask('until-aborted', [], { softTimeLimit: 0.2 })
    expect(await own.outcome(soft.id)).toMatch(/^FAILURE SoftTimeLimitExceeded/)
    const hard = await own.client.sendTask('sleep', [1_500], { timeLimit: 0.3 })
    const next = await own.send('add', 1, 1)
    expect(await own.outcome(hard.id)).toMatch(/^FAILURE TimeLimitExceeded/)
    expect(own.ends(hard.id)).toEqual([])
    // Its slot stays taken until it ends, for nothing can end it here.
    expect(await own.value(next)).toBe(2)
    expect(own.ends(hard.id)).toHaveLength(1)
    expect(await own.state(hard.id)).toBe('FAILURE')
    expect(one.log).toContain('is stuck')
    // A stop does not wait for what was given up.
    const forever = await own.client.sendTask('sleep', [60_000], { timeLimit: 0.3 })
    await own.outcome(forever.id)
    expect(await one.stop()).toBe(0)
  })
})
