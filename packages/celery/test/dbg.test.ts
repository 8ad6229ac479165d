import { expect, test } from 'vitest'
import { Scene, until } from './scene.ts'
for (let i = 0; i < 8; i++)
test('early '+i, async () => {
    await using scene = new Scene({ settings: { leaseMs: 1500 } })
    const first = await scene.startWorker('-c', '1', '-n', 'first')
    const running = await scene.send('sleep', 60_000)
    await scene.untilStarted(running)
    const waiting = await Promise.all([scene.send('add', 1, 1), scene.send('add', 2, 2)])
    await until(() => first.log.includes(waiting[1] as string), 'the messages to be received')
    const second = await scene.startWorker('-c', '1', '-n', 'second')
    first.signal('SIGKILL')
    const r = await Promise.race([Promise.all(waiting.map((id) => scene.value(id))), new Promise((r) => setTimeout(r, 8000, 'late'))])
    if (r === 'late') { console.log(await scene.queue(), waiting, first.log, second.log, scene.ledger(), scene.folder)
      const ids = await Promise.all(waiting.map((id) => scene.state(id))); console.log(ids)
      const { execSync } = await import('node:child_process'); console.log(execSync('ls -la '+scene.folder+'; ls -l /proc/'+second.pid+'/fd /proc/'+process.pid+'/fd | grep queue').toString()) }
    expect(r).toEqual([2, 4])
})
