import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isMissing } from '@celery/test-servers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bench, type Report } from '../src/bench.ts'
import { redis } from '../src/suites/redis.ts'

/** One of each kind; the others differ from these in a setting. */
const kinds = [
  ...['raw-sending', 'sending', 'bullmq-sending', 'python-sending'],
  ...['bare', 'async-results', 'bullmq-results', 'python-results'],
  ...['calls', 'bullmq-calls', 'python-to-ours', 'python-calls'],
]
/** Those who can take part on this machine. */
const contestants = redis.contestants
  .filter(({ missing, name }) => kinds.includes(name) && missing?.() === undefined)
  .map(({ name }) => name)

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'celery-bench-redis-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function report(suite: string, ...args: readonly string[]): Promise<Report> {
  const json = join(folder, `${suite}.json`)
  const output = { result: () => {}, progress: () => {} }
  expect(await bench(['--suite', suite, '--runs', '1', '--json', json, ...args], output)).toBe(0)
  return JSON.parse(await readFile(json, 'utf8')) as Report
}

describe.skipIf(isMissing('redis'))('on a Redis', () => {
  // Rates are the machine's business: what is asserted is that everybody did all of the work, and was counted.
  test('ours are measured beside peers', async () => {
    const small = ['--tasks', '100', '--round-trips', '5']
    const { rows, versions } = await report('redis', ...small, '--only', contestants.join())
    expect(versions).toMatchObject({ bullmq: '6.7.0', redis: expect.stringMatching(/^\d/) })
    const measured = new Set(rows.flatMap(({ samples }) => Object.keys(samples)))
    // The bare loop is nobody's peer without the worker beside it.
    expect([...measured].sort()).toEqual(contestants.filter((name) => name !== 'bare').sort())
    for (const { name, samples } of rows) {
      // Linux counts processor time of others in steps of 10 ms, and so little work may take less than one.
      const least = name.startsWith("Redis's processor time") ? 0 : Number.MIN_VALUE
      for (const values of Object.values(samples)) {
        expect(values, name).toHaveLength(1)
        expect(values[0], name).toBeGreaterThanOrEqual(least)
      }
    }
    const sending = rows.find(({ name }) => name === 'sending, 1,000 at a time')
    expect(sending?.aims[0]).toMatchObject({ of: 'bullmq-sending', atLeast: 1.2 })
  }, 300_000)

  test('a long queue is measured beside a short one', async () => {
    const { rows } = await report('redis-backlog', '--tasks', '50')
    const [drain, memory] = rows
    expect(Object.keys(drain?.ratios ?? {})).toEqual(['short', 'plain'])
    expect(drain?.ours).toBeGreaterThan(0)
    if (process.platform === 'linux') expect(memory?.ours).toBeGreaterThan(1)
  }, 300_000)
})
