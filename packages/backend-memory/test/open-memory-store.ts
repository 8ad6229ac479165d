import { randomUUID } from 'node:crypto'
import { type KeyValueBackendOptions, type KeyValueStore, keyValueBackend } from '@celery/backend'
import type { BackendUnderTest } from '@celery/backend/testkit'
import { MemoryStore, type MemoryWrite, memory } from '../src/index.ts'

/** A fresh named store as the driver opens it. */
export async function openMemoryStore(): Promise<BackendUnderTest> {
  const name = randomUUID()
  return {
    traits: { durable: true, clock: true, prepares: true, chords: true, shared: true },
    connect: (options) => memory.open(`memory://${name}`, options),
    commit: async (writes) => {
      for (const { statement } of writes) (statement as MemoryWrite).apply()
    },
    spoil: (taskId) => spoil(new MemoryStore(name), taskId),
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
      spoil: (taskId) => spoil(make(name, undefined), taskId),
      connect: async ({ now } = {}) => keyValueBackend(make(name, now), options),
    }
  }
}

/** A value without a state. */
async function spoil(store: KeyValueStore, taskId: string): Promise<void> {
  await store.set([{ key: `celery-task-meta-${taskId}`, value: 'not a record' }])
}
