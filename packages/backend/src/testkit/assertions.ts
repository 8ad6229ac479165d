import assert from 'node:assert/strict'
import type { ResultBackend, ResultWrite, StoredRecord } from '../result-backend.ts'
import type { CaseContext } from './backend-under-test.ts'

/** A write whose record names its state, so that one look tells which write won. */
export function write(taskId: string, state: string, extra: { note?: string; ttlMs?: number } = {}): ResultWrite {
  const record = JSON.stringify({ task_id: taskId, status: state, result: extra.note ?? null })
  return extra.ttlMs === undefined ? { taskId, state, record } : { taskId, state, record, ttlMs: extra.ttlMs }
}

export async function fetchOne(backend: ResultBackend, taskId: string): Promise<StoredRecord | undefined> {
  return (await backend.fetch([taskId])).get(taskId)
}

/** The stored record is the one of `expected`, or there is none. */
export async function assertStored(
  backend: ResultBackend,
  taskId: string,
  expected: ResultWrite | undefined,
): Promise<void> {
  const found = await fetchOne(backend, taskId)
  assert.deepEqual(
    found === undefined ? undefined : { ...found, record: textOf(found.record) },
    expected === undefined ? undefined : { taskId, state: expected.state, record: expected.record },
  )
}

/** A record that was stored as text, and may have come back as bytes. */
export function textOf(record: string | Uint8Array | undefined): string | undefined {
  return record instanceof Uint8Array ? Buffer.from(record).toString() : record
}

/** Rejects with an error that has this code. */
export async function assertRejects(promise: Promise<unknown>, code: string): Promise<void> {
  await assert.rejects(promise, (error: unknown) => {
    assert.equal((error as { code?: unknown } | null)?.code, code, `expected an error with code ${code}, got ${error}`)
    return true
  })
}

/** What a waiting client does: watches, then reads after the watch began and after each change. */
export async function waitForState(
  context: CaseContext,
  backend: ResultBackend,
  taskId: string,
  state: string,
): Promise<void> {
  const changed = new Signal()
  await using _watch = await context.within(
    'beginning to watch',
    backend.watch([taskId], () => changed.set()),
  )
  const waiting = async (): Promise<void> => {
    while ((await fetchOne(backend, taskId))?.state !== state) await changed.next()
  }
  await context.within(`seeing ${taskId} in state ${state}`, waiting())
}

/** Remembers that something happened until somebody asks. */
export class Signal {
  #set = false
  #wake: (() => void) | undefined

  set(): void {
    this.#set = true
    this.#wake?.()
  }

  /** Resolves at once if `set` was called since the last time, else at the next call. */
  async next(): Promise<void> {
    if (!this.#set) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    this.#wake = undefined
    this.#set = false
  }
}
