import { isMissing } from '@celery/test-servers'
import { describe, expect, test } from 'vitest'
import { openRedisTestbed } from '../src/testbed/redis-testbed.ts'

describe.skipIf(isMissing('redis'))('a primary that dies', () => {
  test.each(['sentinel', 'cluster'] as const)(
    'is followed by another one that has all it had answered, again and again (%s)',
    async (topology) => {
      await using testbed = await openRedisTestbed({ topology, workers: 1, random: () => 0 })
      const { network } = testbed
      if (network === undefined) throw new Error('Redis has a network')
      for (const task of ['a', 'b']) {
        await testbed.overwriteResult(task, JSON.stringify({ status: 'SUCCESS', result: task }))
        let seen = 0
        await network.crash(0, async () => {
          seen = (await testbed.results([task])).size
        })
        expect(seen).toBe(1)
        expect((await testbed.results(['a', 'b'])).get(task)).toEqual({ state: 'SUCCESS', attempt: task })
      }
    },
    120_000,
  )
})
