import { randomUUID } from 'node:crypto'
import { type KeyValueBackendOptions, type KeyValueStore, keyValueBackend } from '@celery/backend'
import type { BackendUnderTest } from '@celery/backend/testkit'
import { type MemoryWrite, memory } from '../src/index.ts'

/** A fresh named store as the driver opens it. */
export async function openMemoryStore(): Promise<BackendUnderTest> {
  const name = randomUUID()
  return {
    traits: { durable: true, clock: true, prepares: true, chords: true },
    connect: (options) => memory.open(`memory://${name}`, options),
    commit: async (writes) => {
      for (const { statement } of writes) (statement as MemoryWrite).apply()
    },
    [Symbol.asyncDispose]: async () => undefined,
  }
}

/** A fresh store whose connections are made by `make`, to see what the backend above it or the kit says to it. */
export function openStoreOf(
  make: (name: string, now: (() => number) | undefined) => KeyValueStore,
  options: KeyValueBackendOptions = {},
): () => Promise<BackendUnderTest> {
  return async () => {
    const plain = await openMemoryStore()
    const name = randomUUID()
    const store = make(name, undefined)
    const prepares = store.preparePutUnlessTerminal !== undefined
    const chords = store.countChords !== undefined
    return {
      ...plain,
      traits: { ...plain.traits, prepares, chords },
      connect: async ({ now } = {}) => keyValueBackend(make(name, now), options),
    }
  }
}
