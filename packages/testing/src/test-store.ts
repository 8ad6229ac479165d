import type { BackendDriver, ResultBackend } from '@celery/backend'
import { memoryBackend } from '@celery/backend-memory'
import type { Clock } from '@celery/promises'
import type { Activity } from './activity.ts'
import type { Faults } from './faults.ts'

export interface TestStoreOptions {
  readonly clock: Clock
  readonly activity: Activity
  readonly faults: Faults
}

/**
 * One result store in memory, whatever URL it is opened with. It shares no transaction with the broker, as in most
 * deployments, so that one of the two can fail alone.
 */
export function testStore({ activity, clock, faults }: TestStoreOptions): BackendDriver {
  const driver = memoryBackend({ now: () => clock.now() })
  return {
    name: driver.name,
    async open(_url, options) {
      const store = await driver.open('memory://', options)
      const faulty: ResultBackend = {
        domain: undefined,
        async store(writes, given = {}) {
          try {
            await faults.perform('store', () => store.store(writes, given), given)
          } finally {
            activity.happened()
          }
        },
        fetch: (ids, given = {}) => faults.perform('read', () => store.fetch(ids, given), given),
        forget: (ids, given) => store.forget(ids, given),
        watch: (ids, onChange, given) => store.watch(ids, onChange, given),
        cleanup: (given) => store.cleanup(given),
        ...(store.chords === undefined ? undefined : { chords: store.chords }),
        close: () => store.close(),
        [Symbol.asyncDispose]: () => store.close(),
      }
      return faulty
    },
  }
}
