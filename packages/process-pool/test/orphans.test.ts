import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { fixture, isAlive, until } from './pool-harness.ts'

test('F-03: no child outlives a killed parent, not even one that blocks', async () => {
  const parent = spawn(process.execPath, [fileURLToPath(fixture('parent.mjs'))], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(parent.stdout, 'data')) as [Buffer]
  const pids = line.toString().trim().split(' ').map(Number)
  expect(pids.length).toBe(2)
  expect(pids.every(isAlive)).toBe(true)
  process.kill(parent.pid as number, 'SIGKILL')
  expect(await until('no orphan is alive', () => !pids.some(isAlive))).toBeLessThan(2_000)
})

test('F-03: the same when the whole process group is killed or asked to end', async () => {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const parent = spawn(process.execPath, [fileURLToPath(fixture('parent.mjs'))], {
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    })
    const [line] = (await once(parent.stdout, 'data')) as [Buffer]
    const pids = line.toString().trim().split(' ').map(Number)
    process.kill(-(parent.pid as number), signal)
    expect(await until('no orphan is alive', () => !pids.some(isAlive))).toBeLessThan(2_000)
  }
})
