import { deferred } from '@celery/promises'
import { expect, test } from 'vitest'
import { PoolWatch } from './pool-watch.ts'
import type { TaskPool } from './pools/task-pool.ts'

function setUp() {
  const log: string[] = []
  const state = { healthy: true, overfull: false, answer: deferred() }
  const pool = {
    get healthy() {
      return state.healthy
    },
    recall: async () => {
      log.push('recall')
      await state.answer.promise
    },
  } as unknown as TaskPool
  const watch = new PoolWatch({
    pool,
    isOverfull: () => state.overfull,
    onHealth: (healthy) => void log.push(healthy ? 'healthy' : 'unhealthy'),
    onError: (error) => void log.push(String(error)),
  })
  return { log, state, watch }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('tells when the pool becomes unhealthy and healthy again, once each, and calls back what lies there', async () => {
  const { log, state, watch } = setUp()
  state.answer.resolve()
  watch.look()
  expect(log).toEqual([])
  state.healthy = false
  watch.look()
  await turn()
  watch.look()
  await turn()
  state.healthy = true
  watch.look()
  watch.look()
  expect(log).toEqual(['unhealthy', 'recall', 'recall', 'healthy'])
})

test('does not ask again before it has an answer, and goes on after a failure', async () => {
  const { log, state, watch } = setUp()
  state.overfull = true
  watch.look()
  watch.look()
  expect(log).toEqual(['recall'])
  state.answer.reject(new Error('no'))
  await turn()
  state.answer = deferred()
  watch.look()
  expect(log).toEqual(['recall', 'Error: no', 'recall'])
})
