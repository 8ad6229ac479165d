/** One side survives the end of the other. */
import assert from 'node:assert/strict'
import { assertValue, type Cell } from '../cell.ts'
import { otherLanguage } from '../direction.ts'
import type { CelerySettings, Language } from '../setup.ts'
import type { Stage } from '../stage.ts'
import { until } from '../until.ts'
import { assertNothingHeld, assertOnce } from './fleet.ts'

/** Seconds after which Python takes an unacknowledged message for lost; both sides know. */
const visibilityTimeout = 3

const settings: CelerySettings = {
  broker_transport_options: { visibility_timeout: visibilityTimeout },
  lease_ms: 2_000,
}

/** Two are running and the others are fetched, or wait, when the worker ends. */
const tasks = 6
/** What a worker of Python with one process fetches. */
const pythonPrefetch = 4

export const survivalCells: readonly Cell[] = [
  {
    name: 'kill -9 of the worker: the other side does what it held',
    long: true,
    async run(stage) {
      const { direction } = stage
      const { ids, open, texts } = await untilTwoRun(stage, direction.worker)
      // As both do it: who starts takes what is older than the visibility timeout.
      await stage.untilOlderThan(visibilityTimeout)
      await stage.startWorker(survivorOf(stage), { settings })
      await finish(stage, open, texts, ids)
    },
  },
  {
    name: 'kill -9 of one of our workers: the other one takes over when the lease ends',
    long: true,
    leftOut: ({ worker }) => (worker === 'typescript' ? undefined : 'leases are ours'),
    async run(stage) {
      const { ids, open, texts } = await untilTwoRun(stage, 'typescript', async () => {
        await stage.startWorker('typescript', { settings })
      })
      await finish(stage, open, texts, ids)
    },
  },
  {
    name: 'warm shutdown: what was fetched goes to the other side',
    long: true,
    async run(stage) {
      const { client, direction, notes, queue } = stage
      const { open, path } = stage.gate()
      const worker = await stage.startWorker(direction.worker, { settings, concurrency: 1 })
      const texts = namesOf(queue)
      const ids = await client.sendMany(texts.map((text) => holding(path, text, queue)))
      await notes.wait(1, queue, 'started')
      // A worker of Python that is not done fetching loses what is on its way to it when it does not end in time.
      if (worker.language === 'python') await stage.untilHeld(pythonPrefetch)
      const stopped = worker.stop()
      open()
      await stopped
      await stage.startWorker(survivorOf(stage), { settings })
      await finish(stage, open, texts, ids, { mayRepeat: worker.language === 'python' })
    },
  },
  {
    name: 'a later task outlives the worker that holds it',
    long: true,
    async run(stage) {
      const { client, direction, queue } = stage
      const worker = await stage.startWorker(direction.worker, { settings })
      const id = await client.send({ task: 'interop.now', options: { queue, countdown: 6 } })
      const dueAt = Date.now() / 1000 + 6
      await stage.untilHeld(1)
      await worker.kill()
      await stage.untilClock(dueAt + visibilityTimeout + 1)
      await stage.startWorker(survivorOf(stage), { settings })
      const { result, state } = await client.wait(id)
      assert.equal(state, 'SUCCESS')
      assert.ok(Number(result) >= dueAt - 0.5, `it ran ${dueAt - Number(result)} s too early`)
      await assertNothingHeld(stage)
    },
  },
  {
    name: 'a retry that the other language runs',
    long: true,
    async run(stage) {
      const { client, direction, queue } = stage
      const worker = await stage.startWorker(direction.worker, { settings })
      const id = await client.send({ task: 'interop.retry', args: [1, 3, 4], options: { queue } })
      await until('state RETRY', async () => ((await client.outcome(id)).state === 'RETRY' ? true : undefined))
      const dueAt = Date.now() / 1000 + 4
      await stage.untilHeld(1)
      await worker.stop()
      await stage.untilClock(dueAt + 1)
      await stage.startWorker(survivorOf(stage), { settings })
      assertValue(await client.wait(id), 1)
      await assertNothingHeld(stage)
    },
  },
  {
    name: 'a task that runs longer than the visibility timeout runs once, as long as our worker lives',
    long: true,
    leftOut: ({ worker }) => (worker === 'typescript' ? undefined : 'Python gives it to the next worker that starts'),
    async run(stage) {
      const { client, notes, queue } = stage
      const { open, path } = stage.gate()
      // Renewed four times in each lease.
      const patient = { broker_transport_options: { visibility_timeout: 5 }, lease_ms: 2_000 }
      await stage.startWorker('typescript', { settings: patient })
      const texts = namesOf(queue).slice(0, 1)
      const ids = await client.sendMany(texts.map((text) => holding(path, text, queue)))
      const [first] = await notes.wait(1, queue, 'started')
      await stage.untilClock((first?.at ?? 0) + 7)
      // It looks for what is lost before it is ready.
      await stage.startWorker('python', { settings: patient })
      const other = await client.send({ task: 'interop.add', args: [1, 1], options: { queue } })
      await client.wait(other)
      await finish(stage, open, texts, ids)
    },
  },
]

/** A worker of a language that is killed while it runs two tasks and has fetched others. */
async function untilTwoRun(stage: Stage, language: Language, before: () => Promise<void> = async () => {}) {
  const { client, notes, queue } = stage
  const { open, path } = stage.gate()
  const worker = await stage.startWorker(language, { settings })
  const texts = namesOf(queue)
  const ids = await client.sendMany(texts.map((text) => holding(path, text, queue)))
  await notes.wait(2, queue, 'started')
  // What is on its way to a worker of Python is lost with it.
  await stage.untilHeld(tasks)
  await before()
  await worker.kill()
  return { ids, open, texts }
}

/** @param mayRepeat - Python does not always acknowledge what ends while it shuts down. */
async function finish(
  stage: Stage,
  open: () => void,
  texts: readonly string[],
  ids: readonly string[],
  { mayRepeat = false }: { readonly mayRepeat?: boolean } = {},
): Promise<void> {
  open()
  const { client, notes, queue } = stage
  for (const text of texts) await notes.wait(1, text, 'run')
  if (!mayRepeat) assertOnce(notes.of(queue, 'run'), texts)
  for (const outcome of await client.waitAll(ids)) assertValue({ ...outcome, result: null }, null)
  await assertNothingHeld(stage)
}

/** Who goes on: in the self-check there is one language only. */
function survivorOf({ direction }: Stage): Language {
  return direction.client === direction.worker ? direction.worker : otherLanguage(direction.worker)
}

function namesOf(queue: string): string[] {
  return Array.from({ length: tasks }, (_, number) => `${queue} ${number}`)
}

function holding(path: string, text: string, queue: string) {
  return { task: 'interop.hold', args: [path, text], options: { queue } }
}
