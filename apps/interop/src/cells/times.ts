/** When a task runs. */
import assert from 'node:assert/strict'
import { assertValue, type Cell } from '../cell.ts'
import type { CallOptions } from '../client.ts'

export const timeCells: readonly Cell[] = [
  notBefore('countdown', () => ({ countdown: 1 })),
  notBefore('eta', () => ({ eta: isoAfter(1_000) })),
  notBefore('eta in another zone', () => ({ eta: isoAfter(1_000 + 5.5 * 3_600_000).replace('+00:00', '+05:30') })),
  notBefore('eta in the past', () => ({ eta: isoAfter(-60_000) })),
  {
    name: 'a later task does not hold up others',
    async run({ client }) {
      const later = await client.send({ task: 'interop.now', options: { countdown: 10 } })
      assertValue(await client.wait(await client.send({ task: 'interop.add', args: [1, 1] })), 2)
      assert.equal((await client.outcome(later)).state, 'PENDING')
    },
  },
  {
    name: 'expires: one that is too late is revoked',
    async run({ client }) {
      const id = await client.send({ task: 'interop.add', args: [1, 1], options: { expires: isoAfter(-60_000) } })
      const outcome = await client.wait(id)
      assert.deepEqual([outcome.state, outcome.error], ['REVOKED', { type: 'TaskRevokedError', message: 'expired' }])
    },
  },
  {
    name: 'expires: one in time runs',
    async run({ client }) {
      const id = await client.send({ task: 'interop.add', args: [1, 1], options: { expires: 600 } })
      assertValue(await client.wait(id), 2)
    },
  },
]

/** The task says when it ran. */
function notBefore(name: string, options: () => CallOptions): Cell {
  return {
    name,
    async run({ client }) {
      const sentMs = Date.now()
      const given = options()
      const outcome = await client.wait(await client.send({ task: 'interop.now', options: given }))
      const dueMs = given.eta === undefined ? sentMs + (given.countdown ?? 0) * 1000 : Date.parse(given.eta)
      assert.equal(outcome.state, 'SUCCESS')
      const earlyMs = dueMs - Number(outcome.result) * 1000
      // Clocks of two languages round differently.
      assert.ok(earlyMs < 5, `it ran ${earlyMs} ms too early`)
    },
  }
}

function isoAfter(ms: number): string {
  return new Date(Date.now() + ms).toISOString().replace('Z', '+00:00')
}
