import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Scene, untilAsync, type WorkerProcess } from './scene.ts'

/** What was sent meanwhile: tasks that all workers know, and tasks that only the new ones know. */
interface Sent {
  readonly known: readonly string[]
  readonly added: readonly string[]
}

/** Replaces six workers one after the other by workers with newer code, while tasks come. */
async function deploy(scene: Scene): Promise<Sent & { readonly fleet: readonly WorkerProcess[] }> {
  const fleet: WorkerProcess[] = []
  for (let n = 0; n < 6; n++) fleet.push(await scene.startWorker('-P', 'async', '-c', '2', '-n', `old${n}`))

  const known: string[] = []
  const added: string[] = []
  const deployed = new AbortController()
  const sending = (async () => {
    for (let n = 0; !deployed.signal.aborted; n++) {
      known.push(await scene.send('add', n, 1))
      if (n % 10 === 0) added.push(await scene.send('added', n))
      // About 200 a second.
      await sleep(4)
    }
  })()
  try {
    for (const [n, old] of [...fleet].entries()) {
      const next = scene.spawnWorkerOf('deploy-new.mjs', '-P', 'async', '-c', '2', '-n', `new${n}`)
      fleet.push(next)
      await next.untilLogged(' ready.')
      expect(await old.stop()).toBe(0)
    }
  } finally {
    deployed.abort()
    await sending
  }
  return { added, fleet, known }
}

async function expectAllRan(scene: Scene, { known }: Sent): Promise<void> {
  expect(await Promise.all(known.map((id) => scene.value(id)))).toEqual(known.map((_, n) => n + 1))
  for (const id of known) expect(scene.starts(id)).toHaveLength(1)
}

test('F-14 a rolling deploy: nothing is lost, and what old workers do not know is dead-lettered as a failure', async () => {
  await using scene = new Scene({ settings: { taskAcksLate: true } })
  const sent = await deploy(scene)
  const { added } = sent
  await expectAllRan(scene, sent)
  // Either a new worker ran it, or an old one refused it: never neither.
  const outcomes = await Promise.all(added.map((id) => scene.outcome(id)))
  const refused = added.filter((_, n) => !outcomes[n]?.startsWith('SUCCESS'))
  for (const outcome of outcomes) expect(outcome).toMatch(/^SUCCESS \d+$|^FAILURE NotRegistered/)
  expect(refused.length).toBeGreaterThan(0)
  expect(refused.length).toBeLessThan(added.length)
  for (const id of added) expect(scene.starts(id)).toHaveLength(refused.includes(id) ? 0 : 1)
  const dead = await scene.deadLetters(refused.length)
  expect(dead.map(({ payload }) => idOf(payload)).sort()).toEqual(refused.sort())
  await untilAsync(async () => (await scene.queue()).held === 0, 'nothing to be held')
}, 300_000)

test('F-14 a rolling deploy that requeues: old workers give back what only new ones know, and all of it runs once', async () => {
  await using scene = new Scene({ settings: { taskAcksLate: true, unknownTasks: 'requeue' } })
  const sent = await deploy(scene)
  const { added, fleet } = sent
  await expectAllRan(scene, sent)
  expect(await Promise.all(added.map((id) => scene.outcome(id)))).toEqual(added.map((_, n) => `SUCCESS ${n * 10}`))
  for (const id of added) expect(scene.starts(id)).toHaveLength(1)
  await scene.untilEmpty()
  expect(await scene.queue('celery.dead')).toMatchObject({ ready: 0 })
  const log = fleet.map((worker) => worker.log).join('')
  expect(log).not.toContain('Refused')
  // Old workers got some of them; each is told of once, whoever gets it how often.
  const told = [...log.matchAll(/WARNING.* Task added\[(.+?)\].* is not registered here; requeued/g)].map(
    ([, id]) => id,
  )
  expect(told.length).toBeGreaterThan(0)
  expect(new Set(told).size).toBe(told.length)
}, 300_000)

function idOf(payload: unknown): string {
  return (JSON.parse(String(payload)) as { readonly headers: { readonly id: string } }).headers.id
}
