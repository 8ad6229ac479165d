import { setImmediate } from 'node:timers/promises'
import { type ChordCounter, mayReplace, type ResultBackend, type StateWrite } from '@celery/backend'
import { type BackendUnderTest, backendCases, runBackendCase } from '@celery/backend/testkit'
import { describe, expect, test } from 'vitest'
import { MemoryStore, type MemoryStoreOptions, type MemoryWrite } from '../src/index.ts'
import { openMemoryStore, openStoreOf } from './open-memory-store.ts'

// Each store has one fault of a kind that drivers have; the kit is worth something only if it finds every one of them.

class LosesOneWriteInFiveHundred extends MemoryStore {
  #count = 0

  override putUnlessTerminal(entries: readonly StateWrite[]): Promise<void> {
    return super.putUnlessTerminal(
      entries.filter(() => {
        this.#count += 1
        return this.#count % 500 !== 0
      }),
    )
  }
}

class LetsAStateGoBack extends MemoryStore {
  override async putUnlessTerminal(entries: readonly StateWrite[]): Promise<void> {
    for (const entry of entries) {
      await super.delete([entry.key])
      await super.putUnlessTerminal([entry])
    }
  }
}

class ProtectsSuccessAlone extends MemoryStore {
  override async putUnlessTerminal(entries: readonly StateWrite[]): Promise<void> {
    for (const entry of entries) {
      const current = (await super.getMany([entry.key])).get(entry.key)?.state
      if (current !== 'SUCCESS') await super.delete([entry.key])
      await super.putUnlessTerminal([entry])
    }
  }
}

class LetsPreparedWritesGoBack extends MemoryStore {
  override preparePutUnlessTerminal(
    entries: readonly StateWrite[],
  ): ReturnType<MemoryStore['preparePutUnlessTerminal']> {
    const prepared = super.preparePutUnlessTerminal(entries)
    return entries.map((entry, i) => ({
      domain: this.domain,
      statement: {
        apply: () => {
          void this.delete([entry.key])
          const write = prepared[i]?.statement as MemoryWrite | undefined
          write?.apply()
        },
      },
    }))
  }
}

class WritesWhatIsOnlyPrepared extends MemoryStore {
  override preparePutUnlessTerminal(
    entries: readonly StateWrite[],
  ): ReturnType<MemoryStore['preparePutUnlessTerminal']> {
    void this.putUnlessTerminal(entries)
    return super.preparePutUnlessTerminal(entries)
  }
}

class ReadsThenWrites extends MemoryStore {
  override async putUnlessTerminal(entries: readonly StateWrite[]): Promise<void> {
    for (const entry of entries) {
      const current = (await super.getMany([entry.key])).get(entry.key)?.state
      await setImmediate()
      if (!mayReplace(current, entry.state)) continue
      await super.delete([entry.key])
      await super.putUnlessTerminal([entry])
    }
  }
}

class ConfirmsBeforeWriting extends MemoryStore {
  override async putUnlessTerminal(entries: readonly StateWrite[]): Promise<void> {
    void setImmediate().then(() => super.putUnlessTerminal(entries))
  }
}

class DropsNotifications extends MemoryStore {
  #count = 0

  override subscribe(keys: readonly string[], onChange: (key: string) => void): Promise<AsyncDisposable> {
    return super.subscribe(keys, (key) => {
      this.#count += 1
      if (this.#count % 100 !== 0) onChange(key)
    })
  }
}

class HearsOnlyItself extends MemoryStore {
  readonly #listeners = new Set<(keys: readonly string[]) => void>()

  override async putUnlessTerminal(entries: readonly StateWrite[]): Promise<void> {
    await super.putUnlessTerminal(entries)
    for (const listener of this.#listeners) listener(entries.map((entry) => entry.key))
  }

  override async subscribe(keys: readonly string[], onChange: (key: string) => void): Promise<AsyncDisposable> {
    const listener = (changed: readonly string[]): void => {
      for (const key of changed) if (keys.includes(key)) onChange(key)
    }
    this.#listeners.add(listener)
    return { [Symbol.asyncDispose]: async () => void this.#listeners.delete(listener) }
  }
}

class WatchesLate extends MemoryStore {
  override async subscribe(keys: readonly string[], onChange: (key: string) => void): Promise<AsyncDisposable> {
    const later = setImmediate().then(() => super.subscribe(keys, onChange))
    return { [Symbol.asyncDispose]: async () => (await later)[Symbol.asyncDispose]() }
  }
}

class TellsOnlyOfFinalStates extends MemoryStore {
  override subscribe(keys: readonly string[], onChange: (key: string) => void): Promise<AsyncDisposable> {
    return super.subscribe(keys, (key) => {
      void this.getMany([key]).then((found) => {
        const state = found.get(key)?.state
        if (state === 'SUCCESS' || state === 'FAILURE' || state === 'REVOKED') onChange(key)
      })
    })
  }
}

class IgnoresTimeToLive extends MemoryStore {
  override putUnlessTerminal(entries: readonly StateWrite[]): Promise<void> {
    return super.putUnlessTerminal(entries.map(({ key, value, state }) => ({ key, value, state })))
  }
}

class TakesSecondsForMilliseconds extends MemoryStore {
  override putUnlessTerminal(entries: readonly StateWrite[]): Promise<void> {
    return super.putUnlessTerminal(
      entries.map((entry) => (entry.ttlMs === undefined ? entry : { ...entry, ttlMs: entry.ttlMs / 1_000 })),
    )
  }
}

/** As a case-insensitive collation does. */
class FoldsCase extends MemoryStore {
  override putUnlessTerminal(entries: readonly StateWrite[]): Promise<void> {
    return super.putUnlessTerminal(entries.map((entry) => ({ ...entry, key: entry.key.toLowerCase() })))
  }

  override async getMany(keys: readonly string[]): ReturnType<MemoryStore['getMany']> {
    const found = await super.getMany(keys.map((key) => key.toLowerCase()))
    return new Map(
      keys.flatMap((key) => {
        const entry = found.get(key.toLowerCase())
        return entry === undefined ? [] : [[key, entry] as const]
      }),
    )
  }
}

class ForgetsByPrefix extends MemoryStore {
  readonly #keys = new Set<string>()

  override putUnlessTerminal(entries: readonly StateWrite[]): Promise<void> {
    for (const { key } of entries) this.#keys.add(key)
    return super.putUnlessTerminal(entries)
  }

  override delete(keys: readonly string[]): Promise<void> {
    return super.delete([...this.#keys].filter((stored) => keys.some((key) => stored.startsWith(key))))
  }
}

class EndsTextAtNul extends MemoryStore {
  override putUnlessTerminal(entries: readonly StateWrite[]): Promise<void> {
    return super.putUnlessTerminal(
      entries.map((entry) => {
        const { value } = entry
        return typeof value === 'string' ? { ...entry, value: value.split('\u0000')[0] ?? '' } : entry
      }),
    )
  }
}

class CleansUpWhatIsAlive extends MemoryStore {
  readonly #keys = new Set<string>()

  override putUnlessTerminal(entries: readonly StateWrite[]): Promise<void> {
    for (const { key } of entries) this.#keys.add(key)
    return super.putUnlessTerminal(entries)
  }

  override async cleanup(): Promise<number> {
    const removed = await super.cleanup()
    await super.delete([...this.#keys])
    return removed
  }
}

class NeverCloses extends MemoryStore {
  #watched = false

  override subscribe(keys: readonly string[], onChange: (key: string) => void): Promise<AsyncDisposable> {
    this.#watched = true
    return super.subscribe(keys, onChange)
  }

  override close(): Promise<void> {
    return this.#watched ? new Promise(() => undefined) : super.close()
  }
}

class ForgetsOnClose extends MemoryStore {
  readonly #keys = new Set<string>()

  override putUnlessTerminal(entries: readonly StateWrite[]): Promise<void> {
    for (const { key } of entries) this.#keys.add(key)
    return super.putUnlessTerminal(entries)
  }

  override close(): Promise<void> {
    return super.delete([...this.#keys])
  }
}

class CountsEveryRecordingOfAPart extends MemoryStore {
  #count = 0

  override countChords(groupKeyPrefix: string): ChordCounter {
    const chords = super.countChords(groupKeyPrefix)
    return {
      ...chords,
      recordPart: (part, options) => {
        this.#count += 1
        return chords.recordPart({ ...part, taskId: `${part.taskId}${this.#count}` }, options)
      },
    }
  }
}

class ForgetsAFinishedChord extends MemoryStore {
  override countChords(groupKeyPrefix: string): ChordCounter {
    const chords = super.countChords(groupKeyPrefix)
    return { ...chords, recordPart: (part) => chords.recordPart(part, { ttlMs: 0 }) }
  }
}

class GivesPartsAsTheyCame extends MemoryStore {
  override countChords(groupKeyPrefix: string): ChordCounter {
    const chords = super.countChords(groupKeyPrefix)
    return { ...chords, recordPart: (part, options) => chords.recordPart({ ...part, index: undefined }, options) }
  }
}

class AddsATaskTwice extends MemoryStore {
  #count = 0

  override countChords(groupKeyPrefix: string): ChordCounter {
    const chords = super.countChords(groupKeyPrefix)
    return {
      ...chords,
      extend: (groupId, taskIds) => {
        this.#count += 1
        return chords.extend(
          groupId,
          taskIds.map((taskId) => `${taskId}${this.#count}`),
        )
      },
    }
  }
}

class FailsForWhatIsNoRecord extends MemoryStore {
  override async getMany(keys: readonly string[]): ReturnType<MemoryStore['getMany']> {
    const found = await super.getMany(keys)
    if ([...found.values()].some(({ state }) => state === undefined)) throw new Error('one of them is no record')
    return found
  }
}

/** Each with a case that has to find it. */
const brokenStores: readonly (readonly [new (name: string, options?: MemoryStoreOptions) => MemoryStore, string])[] = [
  [LosesOneWriteInFiveHundred, 'stores and reads a thousand records in one call each'],
  [LetsAStateGoBack, 'replaces a record only where its state allows it, for every pair of states'],
  [ProtectsSuccessAlone, 'follows the same rule between two writes of one call, in their order'],
  [LetsPreparedWritesGoBack, 'follows the same rule for prepared writes'],
  [WritesWhatIsOnlyPrepared, 'stores nothing when writes are only prepared'],
  [FailsForWhatIsNoRecord, 'H-23: reads the others beside one that is no record'],
  [ReadsThenWrites, 'keeps the first of many final records written at once'],
  [ConfirmsBeforeWriting, 'shows a stored record to another connection at once'],
  [DropsNotifications, 'watches hundreds of tasks in one call and tells of each'],
  [HearsOnlyItself, 'tells a watcher of a write through another connection'],
  [WatchesLate, 'misses no write that races with the beginning of the watch'],
  [TellsOnlyOfFinalStates, 'tells of each step when the watcher waits for one after the other'],
  [IgnoresTimeToLive, 'keeps a record until its time to live is over and not longer'],
  [TakesSecondsForMilliseconds, 'keeps a record until its time to live is over and not longer'],
  [FoldsCase, 'keeps odd ids apart, and forgets only the one it is told to'],
  [ForgetsByPrefix, 'keeps odd ids apart, and forgets only the one it is told to'],
  [EndsTextAtNul, 'keeps text of every script, control characters and an empty record as they are'],
  [CleansUpWhatIsAlive, 'removes on cleanup what has expired, says how much, and leaves the rest'],
  [NeverCloses, 'closes while it is watching'],
  [CountsEveryRecordingOfAPart, 'counts a part once, however often it is recorded'],
  [ForgetsAFinishedChord, 'does not complete a chord of one part again after its completion was disposed'],
  [GivesPartsAsTheyCame, 'completes a chord with its last part, and gives all parts in order of index'],
  [AddsATaskTwice, 'waits for parts that others have added, each of which counts once'],
  [ForgetsOnClose, 'leaves other connections alone when one is closed'],
]

/** Faults above the store: what a driver that implements `ResultBackend` by itself could get wrong. */
const brokenBackends: readonly BrokenBackend[] = [
  {
    fault: 'swallows errors of store',
    expected: 'rejects every call after it was closed',
    change: (backend) => ({ store: (...args) => backend.store(...args).catch(() => undefined) }),
  },
  {
    fault: 'answers with nothing where it cannot read',
    expected: 'rejects every call after it was closed',
    change: (backend) => ({ fetch: (...args) => backend.fetch(...args).catch(() => new Map()) }),
  },
  {
    fault: 'takes bytes for text',
    expected: 'keeps bytes as they are',
    change: (backend) => ({
      store: (writes, options) =>
        backend.store(
          writes.map((each) => ({ ...each, record: Buffer.from(each.record).toString() })),
          options,
        ),
    }),
  },
  {
    fault: 'keeps the bytes of whoever wrote them',
    expected: 'keeps its own copy of bytes, which their owner may use again',
    change: (backend) => {
      const given = new Map<string, string | Uint8Array>()
      return {
        store: (writes, options) => {
          for (const { record, taskId } of writes) given.set(taskId, record)
          return backend.store(writes, options)
        },
        fetch: async (ids, options) => {
          const found = await backend.fetch(ids, options)
          return new Map([...found].map(([id, each]) => [id, { ...each, record: given.get(id) ?? each.record }]))
        },
      }
    },
  },
  {
    fault: 'calls a watcher that has stopped',
    expected: 'makes no call after a watch was disposed, which is safe twice',
    change: (backend) => ({
      watch: async (taskIds, onChange, options) => {
        await backend.watch(taskIds, onChange, options)
        return { [Symbol.asyncDispose]: async () => undefined }
      },
    }),
  },
  {
    fault: 'rejects the second close',
    expected: 'closes twice and by disposing, at once or one after the other',
    change: (backend) => {
      let closed = false
      return {
        close: async () => {
          if (closed) throw new Error('closed already')
          closed = true
          await backend.close()
        },
      }
    },
  },
  {
    fault: 'cuts records that are too large',
    expected: 'refuses a record beyond the limit and stores nothing of that call',
    change: (backend) => ({
      store: (writes, options) =>
        backend.store(
          writes.map((each) => ({ ...each, record: each.record.slice(0, 10_000_000) })),
          options,
        ),
    }),
  },
  {
    fault: 'prepares writes and names no domain',
    expected: 'prepares writes exactly if it names a domain, and names it on each',
    change: () => ({ domain: undefined }),
  },
]

interface BrokenBackend {
  /** Ends the sentence "a backend that …". */
  readonly fault: string
  /** A case that has to find it. */
  readonly expected: string
  /** The methods that are different. */
  readonly change: (backend: ResultBackend) => Partial<ResultBackend>
}

/** Runs the case of this name; resolves to whether it found a fault. */
async function finds(name: string, open: () => Promise<BackendUnderTest>): Promise<boolean> {
  const backendCase = backendCases.find((each) => each.name === name)
  if (backendCase === undefined) throw new Error(`there is no case "${name}"`)
  // Long enough that a sound store never needs it; a fault that shows as waiting costs this much time.
  return runBackendCase(backendCase, open, { deadlineMs: 1_000 }).then(
    () => false,
    () => true,
  )
}

describe('the conformance kit', () => {
  for (const [Store, expected] of brokenStores) {
    test(`finds the fault of a store that ${sentence(Store.name)}`, async () => {
      const open = openStoreOf((name, now) => new Store(name, { now }))
      expect(await finds(expected, open)).toBe(true)
    })
  }

  for (const { fault, expected, change } of brokenBackends) {
    test(`finds the fault of a backend that ${fault}`, async () => {
      const open = async (): Promise<BackendUnderTest> => {
        const store = await openMemoryStore()
        return { ...store, connect: async (options) => changed(await store.connect(options), change) }
      }
      expect(await finds(expected, open)).toBe(true)
    })
  }

  test('finds nothing wrong, by the same cases, with a store that has no fault', async () => {
    const names = new Set([...brokenStores.map(([, name]) => name), ...brokenBackends.map(({ expected }) => expected)])
    const wrong: string[] = []
    for (const name of names) if (await finds(name, openMemoryStore)) wrong.push(name)
    expect(wrong).toEqual([])
  })
})

function changed(backend: ResultBackend, change: (backend: ResultBackend) => Partial<ResultBackend>): ResultBackend {
  const changes = new Map(Object.entries(change(backend)))
  return new Proxy(backend, {
    get(target, property) {
      if (typeof property === 'string' && changes.has(property)) return changes.get(property)
      if (property === Symbol.asyncDispose && changes.has('close')) return changes.get('close')
      const value: unknown = Reflect.get(target, property, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** `LosesWrites` → `loses writes`. */
function sentence(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).trim()
}
