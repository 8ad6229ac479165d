import { readFileSync } from 'node:fs'
import { isMissing, startRedis } from '@celery/test-servers'
import { afterEach, describe, expect, test, vi } from 'vitest'

const example = readFileSync(new URL('../examples/results.ts', import.meta.url), 'utf8')

describe('the README', () => {
  afterEach(() => {
    vi.unstubAllEnvs()
    vi.restoreAllMocks()
  })

  test('shows its example as it is', () => {
    expect(readFileSync(new URL('../README.md', import.meta.url), 'utf8')).toContain(`\`\`\`ts\n${example}\`\`\``)
  })

  test.skipIf(isMissing('redis'))('has an example that prints what it says', async () => {
    await using server = await startRedis()
    vi.stubEnv('REDIS_URL', server.url)
    const log = vi.spyOn(console, 'log').mockImplementation(() => undefined)
    await import('../examples/results.ts')
    expect(log.mock.calls).toEqual([['a', 'has changed'], ['{"status": "SUCCESS", "result": 5}']])
  })
})
