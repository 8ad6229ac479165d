import { expect, test } from 'vitest'
import { Scene } from './scene.ts'

const pools = [
  ['prefork', ['-c', '2']],
  ['async', ['-P', 'async', '-c', '10']],
] as const

for (const [pool, options] of pools) {
  const module = 'calling.mjs'

  test.concurrent(`${pool}: CALL-035 what follows from a task goes by the routes, through their exchange, with what receivers add`, async () => {
    await using scene = new Scene({ module })
    const worker = await scene.startWorker(...options, '-Q', 'celery')
    await scene.startWorker(...options, '-Q', 'sport')
    const { client } = scene
    const result = await client.signature('shout', ['goal']).pipe(client.signature('sport.report')).delay()
    const [text, queue, trace] = (await scene.value(result.id)) as string[]
    expect([text, queue]).toEqual(['GOAL', 'sport'])
    // It was added where the task ran.
    expect(trace).toBe(`from ${pool === 'prefork' ? worker.pid : process.pid}`)
  })

  test.concurrent(`${pool}: APP-059 a message whose arguments are not what the schema wants fails as in Python`, async () => {
    await using scene = new Scene({ module })
    await scene.startWorker(...options)
    expect(await scene.outcome(await scene.send('shout', 5))).toBe(
      "FAILURE TypeError: shout() got invalid arguments: argument 1 ('text'): expected text",
    )
    const named = await scene.client.sendTask('shout', [], { kwargs: { text: 'a' } })
    expect(await scene.value(named.id)).toBe('A')
  })

  test.concurrent(`${pool}: CONF-121 a next step to a queue that is not there fails its task, and the worker goes on`, async () => {
    await using scene = new Scene({ module })
    await scene.startWorker(...options)
    const { client } = scene
    const lost = await client.signature('shout', ['a']).pipe(client.signature('lost')).delay()
    const first = lost.parent?.id ?? ''
    expect(await scene.outcome(first)).toMatch(/^FAILURE .*QueueNotFoundError.*there is no queue \\?"no-such-queue/)
    expect(await scene.value(await scene.send('shout', 'b'))).toBe('B')
  })

  test.concurrent(`${pool}: TASK-126 a task that is aborted finds out and ends by itself`, async () => {
    await using scene = new Scene({ module })
    await scene.startWorker(...options)
    const id = await scene.send('long')
    await scene.untilStarted(id)
    await scene.client.asyncResult(id).abort()
    expect(await scene.outcome(id)).toBe('SUCCESS stopped early')
  })
}
