import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, test, vi } from 'vitest'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

function source(file: string): string {
  return readFileSync(new URL(`../examples/${file}`, import.meta.url), 'utf8')
}

/** What an example prints, line by line. */
async function output(run: () => Promise<unknown>): Promise<readonly string[]> {
  const lines: string[] = []
  vi.spyOn(console, 'log').mockImplementation((...parts: readonly unknown[]) => {
    lines.push(parts.map((part) => (typeof part === 'string' ? part : JSON.stringify(part))).join(' '))
  })
  await run()
  return lines
}

describe('the README', () => {
  afterEach(() => void vi.restoreAllMocks())

  test.each(['media.ts', 'runner.ts', 'batches.ts', 'pools.ts'])('shows %s as it is', (file) => {
    expect(readme).toContain(`\`\`\`ts\n${source(file)}\`\`\``)
  })

  test('media.ts publishes to a topic and consumes it', async () => {
    expect(await output(() => import('../examples/media.ts'))).toEqual([
      'video.cat {"name":"cat.mp4"}',
      'video.dog {"name":"dog.mp4"}',
    ])
  })

  test('runner.ts deals with every message', async () => {
    expect(await output(() => import('../examples/runner.ts'))).toEqual(['a', 'b', 'c', 'left: 0'])
  })

  test('pools.ts uses no more connections than its pool has', async () => {
    expect(await output(() => import('../examples/pools.ts'))).toEqual(['4 queues seen through 2 connections'])
  })

  test('batches.ts receives a batch', async () => {
    expect(await output(() => import('../examples/batches.ts'))).toEqual(['hello'])
  })
})
