import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { ProcessStartError } from './errors.ts'
import { GuardedProcess } from './guarded-process.ts'

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  // An orphan that nobody has waited for is dead too; where there is no /proc, init is quick to wait.
  const status = existsSync('/proc/self/stat') ? readFileSync(`/proc/${pid}/stat`, 'utf8') : ''
  return !status.includes(') Z ')
}

/** Another process has no event for us, so its end is asked for until the test's own deadline. */
async function untilDead(pid: number): Promise<void> {
  while (isAlive(pid)) await delay(10)
}

test('resolves as soon as the output matches, and tells how the process ended', async () => {
  await using child = await GuardedProcess.start('sh', ['-c', 'echo one; echo two >&2; read x; exit 3'])
  expect((await child.waitForOutput(/t(w)o/))[1]).toBe('w')
  expect(child.output()).toContain('one\n')
  expect(await child.exited).toEqual({ status: 3, signal: null })
})

test('says what was printed when the process ends before the match', async () => {
  await using child = await GuardedProcess.start('sh', ['-c', 'echo no luck; exit 1'])
  const failure = child.waitForOutput(/ready/)
  await expect(failure).rejects.toThrow(ProcessStartError)
  await expect(failure).rejects.toThrow('no luck')
  await child.exited
  await expect(child.waitForOutput(/ready/)).rejects.toThrow('ended before')
})

test('gives up waiting for output after the limit', async () => {
  await using child = await GuardedProcess.start('sleep', ['60'])
  await expect(child.waitForOutput(/ready/, { timeoutMs: 20 })).rejects.toThrow('within 20 ms')
})

test('rejects the wait when there is no such program', async () => {
  await using child = await GuardedProcess.start('/no/such/program', [])
  await expect(child.waitForOutput(/ready/)).rejects.toThrow('not found')
})

test('runs the command as the very process whose id it reports', async () => {
  await using child = await GuardedProcess.start('sh', ['-c', 'echo "pid $$"; exec sleep 60'])
  expect(Number((await child.waitForOutput(/pid (\d+)/))[1])).toBe(child.pid)
})

test('stops a process that ignores SIGTERM, with all it has started', async () => {
  const script = 'trap "" TERM; sleep 60 & echo "child $!"; while :; do wait; done'
  const child = await GuardedProcess.start('sh', ['-c', script])
  const grandchild = Number((await child.waitForOutput(/child (\d+)/))[1])
  await child.stop({ graceMs: 50 })
  expect(await child.exited).toEqual({ status: null, signal: 'SIGKILL' })
  await untilDead(grandchild)
  await child.stop()
})

test('stops a process that is frozen', async () => {
  const child = await GuardedProcess.start('sleep', ['60'])
  child.signal('SIGSTOP')
  await child.stop()
  expect(await child.exited).toEqual({ status: null, signal: 'SIGTERM' })
})

test('sweeps what is left of the group when the process ends by itself', async () => {
  const child = await GuardedProcess.start('sh', ['-c', 'sleep 60 & echo "child $!"'])
  const grandchild = Number((await child.waitForOutput(/child (\d+)/))[1])
  expect((await child.exited).status).toBe(0)
  await untilDead(grandchild)
})

test('dies, its children and its folder too, when the process that started it is killed with SIGKILL', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'celery-guard-'))
  const built = createRequire(import.meta.url).resolve('@celery/test-servers')
  const script = `
    const { GuardedProcess } = await import(${JSON.stringify(pathToFileURL(built).href)})
    const command = 'sleep 60 & echo "$$ $!"; wait'
    const child = await GuardedProcess.start('sh', ['-c', command], { folder: process.argv[1] })
    console.log((await child.waitForOutput(/\\d+ \\d+/))[0])
  `
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    const [line] = (await once(parent.stdout.setEncoding('utf8'), 'data')) as [string]
    const pids = line.trim().split(' ').map(Number)
    expect(pids.map(isAlive)).toEqual([true, true])
    parent.kill('SIGKILL')
    for (const pid of pids) await untilDead(pid)
    while (existsSync(folder)) await delay(10)
  } finally {
    parent.kill('SIGKILL')
    await rm(folder, { recursive: true, force: true })
  }
})
