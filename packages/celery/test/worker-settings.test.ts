import { describe, expect, test } from 'vitest'
import { Scene } from './scene.ts'

const pools = ['prefork', 'threads', 'async'] as const

describe.each(pools)('the pool %s', (pool) => {
  test('TASK-124 TASK-125 CONF-009 runs messages of protocol 1, their retries and callbacks', async () => {
    await using scene = new Scene({ module: 'codecs.mjs', settings: { acceptContent: ['json', 'msgpack'] } })
    await scene.startWorker('-c', '1', '-P', pool)
    const { client } = scene
    client.conf.update({ taskProtocol: 1 })
    expect(await scene.value(await scene.send('add', 2, 3))).toBe(5)
    expect(await scene.value(await scene.send('again', 'x'))).toEqual(['x', 1])
    // Nothing of it can be read without its body, and nobody here knows the compression yet.
    const options = { serializer: 'msgpack', compression: 'bzip2' }
    expect(await (await client.sendTask('add', [1, 2], options)).get({ timeout: 20 })).toBe(3)
    const link = client.signature<number>('add', [10], { taskId: 'linked' })
    const { id } = await client.sendTask('add', [1, 2], { link })
    expect(await scene.value(id)).toBe(3)
    expect(await scene.value('linked')).toBe(13)
    // What comes before it has run, and was not taken for anything else.
    expect(await scene.queue()).toMatchObject({ ready: 0, delayed: 0 })
  })

  test('CONF-166 writes what tasks log in the form of workerTaskLogFormat', async () => {
    const workerTaskLogFormat = '<%(levelname)s %(processName)s %(task_name)s %(task_id)s> %(message)s'
    await using scene = new Scene({ module: 'codecs.mjs', settings: { workerTaskLogFormat } })
    const worker = await scene.startWorker('-c', '1', '-P', pool)
    const id = await scene.send('log', 'hello\u001b[2J')
    await scene.value(id)
    const process = pool === 'async' ? 'MainProcess' : 'ForkPoolWorker-1'
    await worker.untilLogged(`<WARNING ${process} log ${id}> hello\\x1b[2J\n`)
    expect(worker.log).toMatch(/^\[[^\]]*INFO\/MainProcess\] Task log\[/m)
  })
})

describe('CONF-026 with taskAcksOnTimeout off, what ran over its limit comes back', () => {
  const settings = { taskAcksLate: true, taskAcksOnTimeout: false, maxRedeliveries: 2 }
  const slow = async ({ client }: Scene): Promise<string> => {
    const linkError = client.signature('add', [' failed'], { taskId: 'errback' })
    return (await client.sendTask('blocked-until-released', [], { timeLimit: 0.5, linkError })).id
  }

  test('has not failed, and calls nobody back where it ends in time after all', async () => {
    await using scene = new Scene({ settings })
    await scene.startWorker('-c', '1')
    const id = await slow(scene)
    await scene.untilStarted(id, 2)
    expect(await scene.state(id)).toBe('PENDING')
    scene.release()
    expect(await scene.outcome(id)).toBe('SUCCESS null')
    await scene.untilEmpty()
    expect(scene.starts('errback')).toEqual([])
  })

  test('fails when it has come back too often, and calls its errbacks then and once', async () => {
    await using scene = new Scene({ settings })
    await scene.startWorker('-c', '1')
    const id = await slow(scene)
    expect(await scene.outcome(id)).toMatch(/^FAILURE WorkerLostError: the message came back 3 times/)
    expect(scene.starts(id)).toHaveLength(3)
    expect(await scene.value('errback')).toBe(`${id} failed`)
    const dead = await scene.deadLetters()
    expect(dead.map(({ deadReason }) => deadReason)).toEqual([
      'the message came back 3 times: its workers were lost, or its task timed out or gave it back',
    ])
    await scene.untilEmpty()
    expect(scene.starts('errback')).toHaveLength(1)
  })
})

test('CONF-025 with taskAcksOnFailure off, what failed is a dead letter', async () => {
  await using scene = new Scene({ settings: { taskAcksLate: true, taskAcksOnFailure: false } })
  await scene.startWorker('-c', '1')
  expect(await scene.outcome(await scene.send('fail', 'no'))).toBe('FAILURE TypeError: no')
  const [dead] = await scene.deadLetters()
  expect(dead?.deadReason).toContain('no')
})
