import { type ChildProcess, fork } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { openDatabase } from '@celery/sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { openSqliteBroker } from '../src/index.ts'

const seed = Number(process.env['CELERY_TEST_SEED'] ?? randomInt(2 ** 31))
const kills = 25

test(`F-02: loses nothing and ends nothing twice while processes are killed (seed ${seed})`, {
  timeout: 60_000,
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'celery-kill-'))
  const path = join(folder, 'queue.db')
  const ledger = join(folder, 'ledger')
  const database = await openDatabase(path)
  database.exec('CREATE TABLE done (tag TEXT NOT NULL)')
  const random = randomNumbers(seed)
  const children = new Map<string, ChildProcess>()
  onTestFinished(async () => {
    for (const child of children.values()) await kill(child)
    database.close()
    await rm(folder, { recursive: true })
  })
  const start = async (name: string): Promise<void> => {
    const role = name.startsWith('producer') ? 'producer' : 'worker'
    const child = fork(fileURLToPath(new URL('./kill-child.mjs', import.meta.url)), [role, path, ledger], {
      execArgv: [],
    })
    children.set(name, child)
    await once(child, 'message')
  }

  const names = ['producer', 'worker 1', 'worker 2']
  await Promise.all(names.map(start))
  for (let count = 0; count < kills; count++) {
    await sleep(random(120))
    const name = names[random(names.length)] as string
    await kill(children.get(name) as ChildProcess)
    await start(name)
  }
  await kill(children.get('producer') as ChildProcess)
  const broker = await openSqliteBroker({ path, leaseMs: 600 })
  for (;;) {
    const { ready, held } = await broker.declareQueue({ name: 'work' })
    if (ready + held === 0) break
    await sleep(20)
  }
  await broker.close()

  const done = database
    .prepare('SELECT tag FROM done')
    .values([])
    .map(([tag]) => String(tag))
  const confirmed = (await readFile(ledger, 'utf8')).split('\n').filter((line) => line !== '')
  expect(confirmed.length).toBeGreaterThan(50)
  expect(new Set(done).size, 'ended twice').toBe(done.length)
  const ended = new Set(done)
  expect(
    confirmed.filter((tag) => !ended.has(tag)),
    'lost',
  ).toEqual([])
  expect(database.integrityCheck()).toEqual([])
  const left = ['message', 'ready', 'delayed', 'claim'].map(
    (table) => database.prepare(`SELECT count(*) FROM ${table}`).values([])[0],
  )
  expect(left).toEqual([[0], [0], [0], [0]])
})

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

/** The same numbers for the same seed (a linear congruential generator, Numerical Recipes' constants). */
function randomNumbers(start: number): (below: number) => number {
  let state = start >>> 0
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}
