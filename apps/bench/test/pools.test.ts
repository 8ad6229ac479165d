import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isInstalled } from '@celery/test-servers'
import { expect, test } from 'vitest'
import { bench, type Report } from '../src/bench.ts'

const pools = ['prefork 2', 'threads 2', 'async 100', 'solo']
const withPython = isInstalled('python-celery') && isInstalled('redis')

test('what a task costs in each pool is measured, and where its time goes', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'celery-bench-pools-'))
  const json = join(folder, 'report.json')
  const screen: string[] = []
  try {
    const small = ['--runs', '1', '--tasks', '200', '--json', json]
    const output = { result: (text: string) => void screen.push(text), progress: () => {} }
    expect(await bench(['--suite', 'pools', ...small], output)).toBe(0)
    const { rows } = JSON.parse(await readFile(json, 'utf8')) as Report

    for (const size of ['no-op', '1 KiB', '100 KiB']) {
      for (const pool of pools) {
        const row = rows.find(({ name }) => name === `${size}, ${pool}`)
        expect(row?.unit, `${size}, ${pool}`).toBe('µs')
        expect(row?.ours).toBeGreaterThan(0)
        expect(Object.keys(row?.ratios ?? {})).toHaveLength(withPython ? 1 : 0)
        const { IPC: ipc = Number.NaN, ...others } = row?.shares ?? {}
        expect(Object.keys(others)).toEqual(expect.arrayContaining(['decode', 'settle', 'run']))
        expect(Object.values(others).reduce((sum, share) => sum + share, ipc)).toBeCloseTo(100)
        // What runs in the worker's own thread crosses nothing.
        if (pool === 'async 100' || pool === 'solo') expect(ipc).toBeLessThan(20)
        else expect(ipc).toBeGreaterThan(0)
      }
    }

    const waiting = rows.filter(({ name }) => name.startsWith('5 ms of waiting'))
    expect(waiting.map(({ name }) => name.replace(/^.*, /, ''))).toEqual([
      ...['prefork 1', 'threads 1', 'async 1', 'solo'],
      ...['prefork 2', 'threads 2', 'async 100'],
    ])
    for (const { name, ratios } of waiting) {
      const [[ideal, ratio] = ['', 0]] = Object.entries(ratios)
      expect(ideal, name).toMatch(/^ideal-/)
      expect(ratio, name).toBeGreaterThan(0)
      // A timer may be late, and is never early by more than its own grain of a millisecond.
      expect(ratio, name).toBeLessThan(1.3)
    }
    for (const { name } of rows) expect(screen.join('')).toContain(`| ${name}`)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}, 600_000)
