import type { RedisClient } from '@celery/redis'
import { describe, expect, test } from 'vitest'
import { Fetcher } from './fetcher.ts'
import { Keys } from './keys.ts'
import { readBrokerSettings } from './redis-options.ts'
import { Session } from './session.ts'

describe('a fetch that is aborted as its answer comes', () => {
  // How many turns lie between them depends on what else came in the same piece.
  test.each(Array.from({ length: 15 }, (_, turns) => turns))(
    '%i turns after it is handed out or given back',
    async (turns) => {
      const session = new Session('session')
      let answer = (_: unknown): void => {}
      let givenBack = 0
      const client = {
        scriptBuffer: () => new Promise((resolve) => (answer = resolve)),
        script: async (_: unknown, __: unknown, args: readonly unknown[]) => {
          givenBack = args.length - 2
        },
      }
      const settings = readBrokerSettings('redis://localhost', [])
      const keys = new Keys({ ...settings, prefix: '' })
      const options = { leaseMs: 1_000, graceMs: 0, settings, session, connection: 'session.1' }
      const fetcher = new Fetcher(client as unknown as RedisClient, keys, options)
      const controller = new AbortController()
      const taking = fetcher.take(['q'], 3, { signal: controller.signal, ownersFirst: true }).then(
        ({ deliveries }) => deliveries.length,
        () => 0,
      )
      answer([0, -1, 0, 0, [Buffer.from('{}'), Buffer.from('{}')]])
      for (let turn = 0; turn < turns; turn++) await undefined
      controller.abort(new Error('given up'))
      const handedOut = await taking
      expect(handedOut + givenBack).toBe(2)
      expect(session.held.size).toBe(handedOut)
    },
  )
})
