import type { KeyValueStore } from '@celery/backend'
import { describeBackend } from '@celery/backend/testkit'
import { describe, test } from 'vitest'
import { MemoryStore } from '../src/index.ts'
import { openMemoryStore, openStoreOf } from './open-memory-store.ts'

describeBackend('memory', openMemoryStore, { describe, test })

/** What the simplest store has: nothing of what is optional. */
function onlyMandatory(store: MemoryStore): KeyValueStore {
  return {
    domain: undefined,
    getMany: (keys, options) => store.getMany(keys, options),
    set: (entries, options) => store.set(entries, options),
    putUnlessTerminal: (entries, options) => store.putUnlessTerminal(entries, options),
    delete: (keys, options) => store.delete(keys, options),
    cleanup: (options) => store.cleanup(options),
    close: () => store.close(),
    [Symbol.asyncDispose]: () => store.close(),
  }
}

const openPolledStore = openStoreOf((name, now) => onlyMandatory(new MemoryStore(name, { now })), { pollIntervalMs: 2 })

describeBackend('polled', openPolledStore, { describe, test })
