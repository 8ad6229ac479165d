import { expect, test } from 'vitest'
import { Scene, until, untilAsync } from './scene.ts'

const pools = [
  ['prefork', ['-c', '2']],
  ['async', ['-P', 'async', '-c', '10']],
] as const

for (const [pool, options] of pools) {
  for (const acks of ['early', 'late']) {
    test.concurrent(`${pool}, ${acks} ack: a task that retries runs again under its id until it succeeds`, async () => {
      await using scene = new Scene({ module: 'task-life.mjs', settings: { taskAcksLate: acks === 'late' } })
      const worker = await scene.startWorker(...options)
      const id = await scene.send('at-run', 3, 0.05)
      expect(await scene.value(id)).toBe(2)
      expect(scene.starts(id)).toHaveLength(3)
      // The log comes through a pipe, and so a little after the result.
      await worker.untilLogged("retry: Retry in 0.05s: TypeError('run 2')")
      const retries = worker.log.split('\n').filter((line) => line.includes(`at-run[${id}] retry: `))
      expect(retries.map((line) => line.slice(line.indexOf('retry: ')))).toEqual([
        "retry: Retry in 0.05s: TypeError('run 1')",
        "retry: Retry in 0.05s: TypeError('run 2')",
      ])
      await scene.untilEmpty()
    })
  }

  test.concurrent(`${pool}: while it waits for its next run its state is RETRY, with the error`, async () => {
    await using scene = new Scene({ module: 'task-life.mjs' })
    await scene.startWorker(...options)
    const id = await scene.send('at-run', 2, 600)
    await untilAsync(async () => (await scene.state(id)) === 'RETRY', 'its state to be RETRY')
    const result = scene.client.asyncResult(id)
    expect(await result.result()).toMatchObject({ name: 'TypeError', message: 'run 1' })
    expect((await result.children()).map((child) => child.id)).toEqual([id])
    expect(await scene.queue()).toMatchObject({ delayed: 1, ready: 0 })
  })

  test.concurrent(`${pool}: its next run is not before its time`, async () => {
    await using scene = new Scene({ module: 'task-life.mjs' })
    await scene.startWorker(...options)
    const id = await scene.send('at-run', 2, 1)
    expect(await scene.value(id)).toBe(1)
    const [first, second] = scene.starts(id).map(({ at }) => at)
    expect((second ?? 0) - (first ?? 0)).toBeGreaterThanOrEqual(999)
  })

  test.concurrent(`${pool}: automatic retries end with the error itself`, async () => {
    await using scene = new Scene({ module: 'task-life.mjs' })
    await scene.startWorker(...options)
    const id = await scene.send('auto')
    expect(await scene.outcome(id)).toBe('FAILURE RangeError: never')
    expect(scene.starts(id)).toHaveLength(3)
  })

  test.concurrent(`${pool}: a state of its own is seen while it runs, and never after its end (P-7)`, async () => {
    await using scene = new Scene({ module: 'task-life.mjs' })
    await scene.startWorker(...options)
    const id = await scene.send('progress')
    await untilAsync(async () => (await scene.state(id)) === 'PROGRESS', 'its state to be PROGRESS')
    const { pid } = await scene.untilStarted(id)
    expect(await scene.client.asyncResult(id).result()).toEqual({ done: 1, total: 2, pid })
    scene.release()
    expect(await scene.value(id)).toBe('done')
    await scene.untilEmpty()
    expect(await scene.state(id)).toBe('SUCCESS')
  })

  test.concurrent(`${pool}: handlers and signals run where the task runs, and their errors are logged`, async () => {
    await using scene = new Scene({ module: 'task-life.mjs' })
    const worker = await scene.startWorker(...options)
    const id = await scene.send('handled')
    expect(await scene.value(id)).toBe('fine')
    const lines = scene.ledger().filter((line) => line.id === id)
    expect(lines.map(({ what }) => what)).toEqual(['received', 'prerun', 'beforeStart', 'onSuccess', 'afterReturn'])
    const [received, ...inside] = lines.map(({ pid }) => pid)
    expect(received).toBe(worker.pid)
    expect(new Set(inside).size).toBe(1)
    expect(inside[0] === worker.pid).toBe(pool === 'async')
    await worker.untilLogged('onSuccess threw: Error: of a handler')
    expect(worker.log).toContain(`handled[${id}]`)
  })

  test.concurrent(`${pool}: an expected error is logged at level info and without a traceback`, async () => {
    await using scene = new Scene({ module: 'task-life.mjs' })
    const worker = await scene.startWorker(...options)
    const id = await scene.send('expected')
    expect(await scene.outcome(id)).toBe('FAILURE TypeError: as foreseen')
    await worker.untilLogged(`Task expected[${id}] raised expected: TypeError('as foreseen')`)
    expect(worker.log).not.toContain('ERROR')
    expect(worker.log).not.toContain('task-life.mjs:')
  })

  test.concurrent(`${pool}: what a task logs names it, from the level of the worker on`, async () => {
    await using scene = new Scene({ module: 'task-life.mjs' })
    const worker = await scene.startWorker(...options)
    const id = await scene.send('logging')
    await worker.untilLogged('from the module')
    const lines = worker.log.split('\n').filter((line) => line.includes('] logging['))
    expect(lines.map((line) => line.slice(line.indexOf('] ') + 2))).toEqual([
      `logging[${id}]: from the context`,
      `logging[${id}]: from the module`,
    ])
    expect(worker.log).not.toContain('too low')
  })

  test.concurrent(`${pool}: a task may decide its own end, and Ignore leaves it so`, async () => {
    await using scene = new Scene({ module: 'task-life.mjs' })
    await scene.startWorker(...options)
    expect(await scene.outcome(await scene.send('decides'))).toBe('FAILURE RangeError: decided')
  })

  test.concurrent(`${pool}: Reject puts the message back, or among the dead letters as a failure`, async () => {
    await using scene = new Scene({ module: 'task-life.mjs' })
    await scene.startWorker(...options)
    const back = await scene.send('put-back')
    expect(await scene.value(back)).toBe('second')
    expect(scene.starts(back)).toHaveLength(2)
    const refused = await scene.send('refuses')
    expect((await scene.deadLetters()).map(({ deadReason }) => deadReason)).toEqual(['never'])
    expect(await scene.outcome(refused)).toBe('FAILURE Reject: never')
  })
}

test.concurrent('what the main process decides is told by its signals', async () => {
  await using scene = new Scene({ module: 'task-life.mjs' })
  const worker = await scene.startWorker('-c', '1')
  const unknown = await scene.send('nobody-knows-it')
  const { id: expired } = await scene.client.sendTask('at-run', [1], { expires: new Date(Date.now() - 1_000) })
  const killed = await scene.send('killed')
  const odd = crypto.randomUUID()
  const connection = scene.client.connectionForWrite()
  const message = {
    headers: { id: odd },
    properties: {},
    body: '7',
    contentType: 'text/plain',
    contentEncoding: 'utf-8',
  }
  await (await connection.broker()).publish([{ exchange: '', routingKey: 'celery', message }])
  await connection.close()
  for (const id of [unknown, expired, killed, odd]) await scene.outcome(id)
  const told = scene.ledger().filter(({ what }) => ['unknown', 'revoked', 'failure', 'rejected'].includes(what))
  const expected = [
    ['failure', 'killed', killed],
    ['rejected', 'celery', odd],
    ['revoked', 'at-run', expired],
    ['unknown', 'nobody-knows-it', unknown],
  ]
  expect(told.map(({ what, task, id }) => [what, task, id]).sort()).toEqual(expected)
  expect(new Set(told.map(({ pid }) => pid))).toEqual(new Set([worker.pid]))
})

test.concurrent('a worker killed while a retry waits loses nothing: another one runs it', async () => {
  await using scene = new Scene({ module: 'task-life.mjs' })
  const first = await scene.startWorker('-c', '1')
  const id = await scene.send('at-run', 2, 3)
  await untilAsync(async () => (await scene.state(id)) === 'RETRY', 'its state to be RETRY')
  first.signal('SIGKILL')
  await first.ended
  await scene.startWorker('-c', '1')
  expect(await scene.value(id)).toBe(1)
  await until(() => scene.starts(id).length === 2, 'the second run')
})
