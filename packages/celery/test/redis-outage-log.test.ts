import { isMissing, startRedis } from '@celery/test-servers'
import { expect, test } from 'vitest'
import { Celery, type Logger } from '../src/index.ts'
import { ProjectFolder } from './project-folder.ts'
import { untilAsync } from './scene.ts'

test.skipIf(isMissing('redis'))(
  'F-17: an outage of Redis is told by one voice, which names the broker once a line',
  { timeout: 60_000 },
  async () => {
    await using server = await startRedis()
    await using folder = new ProjectFolder()
    const settings = { leaseMs: 1_000 }
    const app = new Celery('shop', { broker: server.url, root: folder.path, setAsCurrent: false, settings })
    const lines: string[] = []
    const note = (line: string): void => void lines.push(line)
    const silent = (): void => {}
    const logger: Logger = {
      ...{ debug: silent, info: silent, warning: note, error: note, critical: note },
      isEnabled: () => true,
    }
    try {
      await using _worker = await app.startWorker({ logger, pool: 'async', concurrency: 1 })
      await server.kill()
      await untilAsync(async () => lines.length >= 4, 'some attempts')
      await server.restart()
      const isBack = (line: string): boolean => line.startsWith('consuming again from')
      await untilAsync(async () => lines.some(isBack), 'the broker to be used again')
      // The keeper of leases is there again, too.
      await untilAsync(async () => (await server.send('EXISTS', '_celery.renewed')) === 1, 'a renewal')

      const about = lines.filter((line) => line.includes('redis://'))
      expect(about.length).toBeGreaterThanOrEqual(4)
      for (const line of about) expect(line.split('redis://')).toHaveLength(2)
      expect(lines.filter((line) => line.startsWith('leases:'))).toEqual([])
    } finally {
      await app.close()
    }
  },
)
