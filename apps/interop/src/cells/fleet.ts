/** Workers of both languages on one queue. */
import assert from 'node:assert/strict'
import type { Cell } from '../cell.ts'
import type { Note } from '../notes.ts'
import type { Stage } from '../stage.ts'
import { patienceMs } from '../until.ts'

const many = 2_000

export const fleetCells: readonly Cell[] = [
  {
    name: `a queue of ${many} tasks shared by both: each once`,
    long: true,
    // Both sides send and run, so that one direction says it all.
    leftOut: ({ worker }) => (worker === 'typescript' ? undefined : 'asked in the other direction'),
    async run(stage) {
      const { notes, queue } = stage
      await Promise.all([stage.startWorker('python'), stage.startWorker('typescript')])
      const senders = [stage.clientWith({ language: 'python' }), stage.clientWith({ language: 'typescript' })]
      const texts = Array.from({ length: many }, (_, number) => `${queue} ${number}`)
      const halves = [texts.slice(0, many / 2), texts.slice(many / 2)]
      const ids = await Promise.all(
        senders.map((sender, index) =>
          sender.sendMany(
            (halves[index] ?? []).map((text) => ({ task: 'interop.slow_note', args: [text], options: { queue } })),
          ),
        ),
      )
      const runs = await notes.wait(many, queue, 'run', 5 * patienceMs)
      assertOnce(runs, texts)
      assert.deepEqual([...new Set(runs.map(({ language }) => language))].sort(), ['python', 'typescript'])
      // Each reads what the other sent, and what both have run.
      const outcomes = await Promise.all(senders.map((sender, index) => sender.waitAll(ids[1 - index] ?? [])))
      assert.deepEqual([...new Set(outcomes.flat().map(({ state }) => state))], ['SUCCESS'])
      await assertNothingHeld(stage)
    },
  },
  {
    name: 'the server ends and comes back under workers of both: nothing is lost, and ours repeat nothing',
    long: true,
    leftOut: ({ worker }) => (worker === 'typescript' ? undefined : 'asked in the other direction'),
    async run(stage) {
      const { notes, queue } = stage
      const server = await stage.startServer()
      await Promise.all([
        stage.startWorker('python', { server, consumes: [queue, `${queue}.python`] }),
        stage.startWorker('typescript', { server, consumes: [queue, `${queue}.typescript`] }),
      ])
      const client = stage.clientWith({ server })
      const { open, path } = stage.gate()
      const held = ['python', 'typescript'].flatMap((language) => [`${queue} ${language} 0`, `${queue} ${language} 1`])
      const ids = await client.sendMany(
        held.map((text) => {
          const [, language] = text.split(' ')
          return { task: 'interop.hold', args: [path, text], options: { queue: `${queue}.${language}` } }
        }),
      )
      await notes.wait(held.length, queue, 'started')
      await server.kill()
      await server.restart()
      open()
      const more = Array.from({ length: 50 }, (_, number) => `${queue} more ${number}`)
      const after = stage.clientWith({ server })
      const moreIds = await after.sendMany(
        more.map((text) => ({ task: 'interop.slow_note', args: [text], options: { queue } })),
      )
      const outcomes = await after.waitAll([...moreIds, ...ids.slice(2)])
      assert.deepEqual([...new Set(outcomes.map(({ state }) => state))], ['SUCCESS'])
      // Python has its own way with what it was running: it has run, and that it has may not be known.
      for (const text of [...held, ...more]) await notes.wait(1, text, 'run')
      assertOnce(notes.of(`${queue} typescript`, 'run'), held.slice(2))
    },
  },
]

/** Every text, and none of them twice. */
export function assertOnce(runs: readonly Note[], texts: readonly string[]): void {
  const counts = new Map(texts.map((text) => [text, 0]))
  for (const { text } of runs) counts.set(text, (counts.get(text) ?? 0) + 1)
  assert.deepEqual(
    [...counts].filter(([, count]) => count !== 1),
    [],
  )
}

/** Nothing waits in the queue or lies among what is held. */
export async function assertNothingHeld(stage: Stage): Promise<void> {
  await stage.untilHeld(0)
  assert.equal(await stage.redis('LLEN', stage.queue), 0)
}
