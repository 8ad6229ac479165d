import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { bench, type Report } from '../src/bench.ts'

test('what a fault leaves to others is measured: beside a task that kills its processes, and during a deploy', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'celery-bench-faults-'))
  const json = join(folder, 'report.json')
  try {
    const small = ['--only', 'wait,wait-poison,deploy', '--runs', '1', '--tasks', '200', '--json', json]
    expect(await bench(['--suite', 'faults', ...small], { result: () => {}, progress: () => {} })).toBe(0)
    const { rows } = JSON.parse(await readFile(json, 'utf8')) as Report
    const row = (name: string) => rows.find((each) => each.name.includes(name))
    expect(row('drain with a poison task')?.ratios['wait']).toBeGreaterThan(0)
    // Once, and five times more.
    expect(row('times it killed')?.ours).toBe(6)
    expect(row('time it kills')?.ours).toBeGreaterThan(0)
    const waits = rows.filter(({ name }) => name.startsWith('wait during a deploy'))
    expect(waits).toHaveLength(4)
    for (const { ours, unit } of waits) expect([ours >= 0, unit]).toEqual([true, 'ms'])
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}, 300_000)
