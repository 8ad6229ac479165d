/**
 * The client process: publishes calls until so many tasks are confirmed, at the speed at which workers take them. Killed
 * and started again it goes on with the next call: what became of calls without an answer nobody can say.
 */
import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { CeleryError } from '@celery/promises'
import { type CallKind, chainTaskIds, type PlannedCall, planCall, rescueTaskId, taskCount } from './calls.ts'
import { ledgerPath, openLedger, parseLedger } from './ledger.ts'
import { readSetup, type Setup } from './setup.ts'
import { app, burn, fail, next, noop, rescue, rest } from './tasks.ts'

/** Milliseconds between two looks at the queue. */
const lookMs = 20
/** Publishes under way at the same time; so many may be unknown after a kill. */
const window = 16

async function main(setup: Setup): Promise<void> {
  const note = openLedger(setup.directory, 'client')
  const progress = readProgress(setup)
  await using _app = app
  await using connection = app.connectionForRead()
  let underway = 0
  let room = 0

  const publish = async (call: PlannedCall): Promise<void> => {
    const size = taskCount(call.kind)
    underway += size
    note(`sent ${call.id} ${call.kind} ${Date.now()}`)
    try {
      await send(call)
      note(`ok ${call.id} ${Date.now()}`)
      progress.confirmed += size
    } catch (error) {
      note(`error ${call.id} ${Date.now()} ${CeleryError.is(error) ? error.code : (error as Error).name}`)
    }
    underway -= size
  }

  while (progress.confirmed < setup.tasks) {
    if (room <= 0) {
      room = setup.backlog - (await ready(connection))
      if (room <= 0) await sleep(lookMs)
      continue
    }
    const calls: Promise<void>[] = []
    while (calls.length < Math.min(room, window)) {
      const most = setup.tasks - progress.confirmed - underway
      if (most <= 0) break
      calls.push(publish(planCall(setup.seed, progress.next++, { meanMs: setup.meanSleepMs, most })))
    }
    room -= calls.length
    await Promise.all(calls)
  }
}

/** Waits while the broker is away, or somebody has its file locked. */
async function ready(connection: ReturnType<typeof app.connectionForRead>): Promise<number> {
  const declaration = { name: app.conf.taskDefaultQueue, durable: true }
  const queue = await connection.ensure((broker) => broker.declareQueue(declaration))
  return queue.ready
}

async function send({ id, kind, takesMs }: PlannedCall): Promise<void> {
  const [first = 0, second = 0, third = 0] = takesMs
  switch (kind) {
    case 'noop':
      await noop.applyAsync([], { taskId: id })
      break
    case 'sleep':
      await rest.applyAsync([first], { taskId: id })
      break
    case 'burn':
      await burn.applyAsync([first], { taskId: id })
      break
    case 'chain2':
    case 'chain3': {
      const [one, two, three] = chainTaskIds(id, kind)
      const steps = rest
        .s(first)
        .set({ taskId: one })
        .pipe(next.s(second).set({ taskId: two }))
      await (three === undefined ? steps : steps.pipe(next.s(third).set({ taskId: three }))).delay()
      break
    }
    case 'fail':
      await fail
        .s(first)
        .set({ taskId: id })
        .linkError(rescue.s().set({ taskId: rescueTaskId(id) }))
        .delay()
  }
}

/** Where the client before this one was stopped. */
function readProgress(setup: Setup): { confirmed: number; next: number } {
  const path = ledgerPath(setup.directory, 'client')
  const progress = { confirmed: 0, next: 0 }
  if (!existsSync(path)) return progress
  const kinds = new Map<string, CallKind>()
  for (const entry of parseLedger(readFileSync(path, 'utf8'))) {
    if (entry.type === 'sent') {
      kinds.set(entry.call, entry.kind)
      progress.next = Math.max(progress.next, Number(entry.call.slice(1)) + 1)
    } else if (entry.type === 'ok') {
      progress.confirmed += taskCount(kinds.get(entry.call) ?? 'noop')
    }
  }
  return progress
}

main(readSetup()).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
  process.exitCode = 1
})
