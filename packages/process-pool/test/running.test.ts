import { describe, expect, test } from 'vitest'
import { type JobOutcome, MessageTooLargeError, PoolClosedError, ProcessPool } from '../src/index.ts'
import { fixture, reply, run, startPool, submit } from './pool-harness.ts'

describe('a job', () => {
  test('is answered with the header and body that its handler returned', async () => {
    await using pool = await startPool()
    const value = { text: 'Grüße', list: [1, null, true] }
    expect(await run(pool, { do: 'echo', value }, { body: 'Übergröße' })).toMatchObject({
      type: 'reply',
      header: value,
      body: 'Übergröße',
      pid: pool.children[0]!.pid,
      runtimeMs: expect.any(Number),
    })
  })

  test('keeps bytes as bytes and text as text', async () => {
    await using pool = await startPool()
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)
    const outcome = await run(pool, { do: 'echo' }, { body: bytes })
    expect(outcome.type === 'reply' && Buffer.compare(outcome.body as Uint8Array, bytes)).toBe(0)
    expect(await reply(pool, { do: 'length' }, { body: 'text' })).toMatchObject({ kind: 'string', length: 4 })
    expect(await reply(pool, { do: 'length' }, { body: bytes })).toMatchObject({ kind: 'object', length: 256 })
  })

  test('may return nothing', async () => {
    await using pool = await startPool()
    expect(await run(pool, { do: 'empty' })).toMatchObject({ type: 'reply', header: undefined, body: '' })
  })

  test('that throws has failed, and its child goes on', async () => {
    await using pool = await startPool()
    const pid = await reply(pool, { do: 'pid' })
    expect(await run(pool, { do: 'throw', message: 'no luck' })).toMatchObject({
      type: 'failed',
      error: { name: 'TypeError', message: 'no luck', stack: expect.stringContaining('jobs.mjs') },
      pid,
    })
    expect(await run(pool, { do: 'throwOddly' })).toMatchObject({ type: 'failed', error: { name: 'Error' } })
    expect(await run(pool, { do: 'unserialisable' })).toMatchObject({ type: 'failed', error: { name: 'TypeError' } })
    expect(await run(pool, { do: 'oddBody' })).toMatchObject({ type: 'failed', error: { name: 'TypeError' } })
    expect(await run(pool, { do: 'tooLarge' })).toMatchObject({
      type: 'failed',
      error: { name: 'MessageTooLargeError' },
    })
    expect(await reply(pool, { do: 'pid' })).toBe(pid)
  })

  test('that cannot be sent is refused by submit', async () => {
    await using pool = await startPool()
    expect(() => submit(pool, { do: 'echo', value: 1n })).toThrow(TypeError)
    expect(() => submit(pool, { do: 'echo' }, { body: new Uint8Array(257 * 1024 * 1024) })).toThrow(
      MessageTooLargeError,
    )
    expect(await reply(pool, { do: 'echo', value: 1 })).toBe(1)
  })

  test('has started before it is done, in the process that is named', async () => {
    await using pool = await startPool()
    const { started, done } = submit(pool, { do: 'pid' })
    const outcome = await done
    expect(outcome).toMatchObject({ type: 'reply', header: await started })
  })

  test('can be submitted before the pool is started', async () => {
    await using pool = new ProcessPool({ module: fixture('jobs.mjs'), size: 1 })
    const { done } = submit(pool, { do: 'echo', value: 'early' })
    expect(pool.queued).toBe(1)
    await pool.start()
    expect(await done).toMatchObject({ type: 'reply', header: 'early' })
  })

  test('whose callbacks throw harms no other', async () => {
    const errors: string[] = []
    await using pool = await startPool({ events: { onError: (error) => errors.push(error.message) } })
    const complain = (what: string) => () => {
      throw new Error(`thrown by ${what}`)
    }
    pool.submit({ header: { do: 'echo' }, body: '', onStarted: complain('onStarted'), onDone: complain('onDone') })
    expect(await reply(pool, { do: 'echo', value: 2 })).toBe(2)
    expect(errors).toEqual(['thrown by onStarted', 'thrown by onDone'])
  })

  test('may submit the next job from its callback', async () => {
    await using pool = await startPool()
    const outcome = await new Promise<JobOutcome>((resolve) => {
      const again = (left: number): void =>
        pool.submit({
          header: { do: 'echo', value: left },
          body: '',
          onDone: (outcome) => (left === 0 ? resolve(outcome) : again(left - 1)),
        })
      again(5_000)
    })
    expect(outcome).toMatchObject({ type: 'reply', header: 0 })
  })
})

describe('large bodies', () => {
  test.each([100_000, 1_000_000, 20_000_000])('of %d bytes pass in both directions', async (bytes) => {
    await using pool = await startPool({ size: 2 })
    const body = new Uint8Array(bytes).fill(9)
    const header = await Promise.all([
      reply(pool, { do: 'length' }, { body }),
      reply(pool, { do: 'length' }, { body: 'ü'.repeat(bytes / 2) }),
    ])
    expect(header).toEqual([
      { length: bytes, kind: 'object', last: 9 },
      { length: bytes / 2, kind: 'string', last: 'ü' },
    ])
    const outcomes = await Promise.all([
      run(pool, { do: 'large', bytes, text: false }),
      run(pool, { do: 'large', bytes, text: true }),
    ])
    expect(outcomes.map((outcome) => outcome.type === 'reply' && outcome.body.length)).toEqual([bytes, bytes / 2])
  })

  test('of many jobs at once do not wait for each other', async () => {
    await using pool = await startPool({ size: 2 })
    const body = new Uint8Array(300_000).fill(1)
    const jobs = Array.from({ length: 200 }, () => run(pool, { do: 'echo' }, { body }))
    for (const outcome of await Promise.all(jobs)) {
      expect(outcome.type === 'reply' && outcome.body.length).toBe(300_000)
    }
  })
})

describe('a child', () => {
  test('gets the init data, but not by its arguments', async () => {
    await using pool = await startPool({ init: { password: 'hunter2' } })
    expect(await reply(pool, { do: 'init' })).toEqual({ password: 'hunter2' })
    expect(JSON.stringify(await reply(pool, { do: 'argv' }))).not.toContain('hunter2')
  })

  test('gets the environment and Node options that it was promised', async () => {
    await using pool = await startPool({
      env: { ...process.env, COLOUR: 'blue' },
      execArgv: ['--stack-trace-limit=3'],
    })
    expect(await reply(pool, { do: 'env', name: 'COLOUR' })).toBe('blue')
    expect(await reply(pool, { do: 'argv' })).toMatchObject({ execArgv: ['--stack-trace-limit=3'] })
  })

  test('runs one job at a time, several children run several', async () => {
    await using pool = await startPool({ size: 2 })
    let running = 0
    let most = 0
    const job = (): Promise<JobOutcome> =>
      new Promise((resolve) => {
        pool.submit({
          header: { do: 'sleep', ms: 30 },
          body: '',
          onStarted: () => {
            running += 1
            most = Math.max(most, running)
          },
          onDone: (outcome) => {
            running -= 1
            resolve(outcome)
          },
        })
      })
    await Promise.all(Array.from({ length: 8 }, job))
    expect(most).toBe(2)
  })

  test('is told apart as idle or busy', async () => {
    await using pool = await startPool({ size: 2 })
    expect(pool.idle).toBe(2)
    const { started, done } = submit(pool, { do: 'sleep', ms: 50 })
    await started
    expect(pool.idle).toBe(1)
    expect(pool.children.map(({ jobs }) => jobs).sort()).toEqual([0, 1])
    await done
    expect(pool.idle).toBe(2)
  })
})

test('a closed pool refuses jobs and cannot be started again', async () => {
  const pool = await startPool()
  await pool.close()
  expect(() => submit(pool, { do: 'echo' })).toThrow(PoolClosedError)
  await expect(pool.start()).rejects.toThrow(PoolClosedError)
  expect(pool.healthy).toBe(false)
})
