import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bench, type Report } from '../src/bench.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'celery-bench-test-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Runs the program and resolves to what it wrote. Rates are the machine's business: none is asserted. */
async function run(...args: readonly string[]) {
  const result: string[] = []
  const progress: string[] = []
  const status = await bench(args, {
    result: (text) => void result.push(text),
    progress: (text) => void progress.push(text),
  })
  return { status, result: result.join(''), progress: progress.join('') }
}

test('measures every contestant in each run, and writes the rows to the screen and the file', async () => {
  const json = join(folder, 'report.json')
  const small = ['--runs', '2', '--tasks', '200', '--round-trips', '5']
  const { result, status } = await run('--suite', 'embedded', '--json', json, ...small)
  expect(status).toBe(0)

  const report = JSON.parse(await readFile(json, 'utf8')) as Report
  expect(report).toMatchObject({ suite: 'embedded', runs: 2, tasks: 200, versions: { node: process.version } })
  expect(report.load).toHaveLength(2)
  const drains = report.rows.filter(({ name }) => name.startsWith('drain'))
  expect(drains.map(({ name }) => name)).toEqual([
    'drain, async pool',
    'drain, prefork 2',
    'drain with results, async pool',
    'drain with results, prefork 2',
  ])
  for (const { peers, ratios } of drains) {
    expect(peers).toHaveProperty('raw')
    expect(Object.keys(ratios)).toEqual(Object.keys(peers))
  }
  const names = report.rows.map(({ name }) => name)
  expect(names).toEqual(expect.arrayContaining(['start to ready, prefork 2', 'idle round trip, median']))
  for (const { name, ours, samples } of report.rows) {
    expect(ours).toBeGreaterThan(0)
    for (const values of Object.values(samples)) {
      expect(values).toHaveLength(2)
      expect(values.every((value) => Number.isFinite(value) && value > 0)).toBe(true)
    }
    expect(result).toContain(`| ${name}`)
  }
}, 120_000)

test('measures only whom it is asked for', async () => {
  const json = join(folder, 'raw.json')
  const { progress, status } = await run('--only', 'raw', '--runs', '1', '--tasks', '40', '--json', json)
  expect(status).toBe(0)
  expect(progress).toContain('run 1 of 1: raw')
  expect(progress).not.toContain('async')
  // Nothing of ours took part, so there is nothing to compare.
  expect((JSON.parse(await readFile(json, 'utf8')) as Report).rows).toEqual([])
})

test('names what there is when it is asked for what there is not', async () => {
  const suite = await run('--suite', 'none')
  expect([suite.status, suite.result]).toEqual([2, ''])
  expect(suite.progress).toContain('there is embedded, pools')
  const contestant = await run('--only', 'nobody')
  expect(contestant.status).toBe(2)
  expect(contestant.progress).toContain('it has raw, async, prefork')
})
