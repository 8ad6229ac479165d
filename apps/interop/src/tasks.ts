/** The tasks of our side; `python/interop_app.py` declares the same ones. The module that our workers import. */
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Celery, DateTime, SoftTimeLimitExceededError } from 'celery'
import { celeryOptions } from './celery-options.ts'
import { appendNote, type Note } from './notes.ts'
import { readSetup } from './setup.ts'

const setup = readSetup()

export const app: Celery = new Celery('interop', celeryOptions(setup))

/** A class that only this side has. */
class OrderRefused extends Error {}

const failures = { value: RangeError, type: TypeError, own: OrderRefused }

function note(what: Note['what'], text: string): void {
  appendNote(setup.notes, { what, text, language: 'typescript' })
}

async function waitFor(gate: string): Promise<void> {
  while (!existsSync(gate)) await sleep(20)
}

app.task('interop.echo', (value: unknown) => value)

app.task('interop.add', (x: number, y: number) => x + y, { params: ['x', 'y'] })

app.task('interop.join', (first: string, second = 'two', third = 'three') => [first, second, third], {
  params: ['first', 'second?', 'third?'],
})

app.task('interop.type_of', (value: unknown) => typeName(value))

app.task('interop.note', (text: string) => {
  note('run', text)
  return text
})

app.task(
  'interop.slow_note',
  async (text: string) => {
    await sleep(2)
    note('run', text)
    return 'typescript'
  },
  { acksLate: true },
)

app.task('interop.now', () => Date.now() / 1000)

app.task('interop.fail', (kind: keyof typeof failures, message: string) => {
  throw new failures[kind](message)
})

app.task(
  'interop.retry',
  (context, times: number, maxRetries: number, countdown: number) => {
    const { retries } = context.request
    if (retries < times) throw context.retry({ countdown, maxRetries, exc: new TypeError('not yet') })
    return retries
  },
  { bind: true },
)

app.task(
  'interop.progress',
  async (context, gate: string) => {
    await context.updateState('PROGRESS', { done: 1, of: 2 })
    await waitFor(gate)
    return 'done'
  },
  { bind: true },
)

app.task(
  'interop.tracked',
  async (gate: string) => {
    await waitFor(gate)
    return 'done'
  },
  { trackStarted: true },
)

app.task(
  'interop.hold',
  async (gate: string, text: string) => {
    note('started', text)
    await waitFor(gate)
    note('run', text)
    return 'typescript'
  },
  { acksLate: true },
)

app.task(
  'interop.ignored',
  (text: string) => {
    note('run', text)
    return text
  },
  { ignoreResult: true },
)

app.task(
  'interop.overrun',
  async ({ signal }) => {
    try {
      await sleep(600_000, undefined, { signal })
    } catch {
      if (signal.reason instanceof SoftTimeLimitExceededError) return 'ended by itself'
    }
    return 'ended otherwise'
  },
  { bind: true },
)

app.task('interop.stuck', () => {
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50)
})

const request = app.task(
  'interop.request',
  ({ request }) => ({
    id: request.id,
    root_id: request.rootId,
    parent_id: request.parentId,
    retries: request.retries,
    hard_limit: request.timeLimit,
    soft_limit: request.softTimeLimit,
    shadow: request.shadow,
    custom: request.headers['interop_custom'] ?? null,
    group: request.group,
  }),
  { bind: true },
)

app.task('interop.parent', async (queue: string) => (await request.applyAsync([], { queue })).id)

app.task('interop.report', (failedId: string) => {
  note('report', failedId)
})

/** The words of the other side. */
function typeName(value: unknown): string {
  if (value === null) return 'null'
  if (value instanceof Uint8Array) return 'bytes'
  if (value instanceof DateTime || value instanceof Date) return 'datetime'
  if (Array.isArray(value)) return 'list'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'float'
  if (typeof value === 'bigint') return 'integer'
  return typeof value === 'string' ? 'text' : typeof value
}
