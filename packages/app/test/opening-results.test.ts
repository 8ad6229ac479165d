import { type BackendDriver, BackendUnavailableError, type ResultBackend } from '@celery/backend'
import { memory as memoryBackend } from '@celery/backend-memory'
import { type Deferred, deferred } from '@celery/promises'
import { expect, onTestFinished, test } from 'vitest'
import { Celery } from '../src/index.ts'

type Options = Parameters<BackendDriver['open']>[1]

interface Attempt {
  readonly once: boolean
  readonly outcome: Deferred<void>
  closed: boolean
}

const away = new BackendUnavailableError('away://', 'nobody listens there')

/** An app whose result store opens when a test says so, and the attempts to open it. */
function setUp() {
  const app = new Celery('test', { broker: 'memory://', backend: 'away://', notify: () => {} })
  const attempts: Attempt[] = []
  const open = async (url: string, options: Options): Promise<ResultBackend> => {
    const attempt: Attempt = { once: options?.once ?? false, outcome: deferred(), closed: false }
    attempts.push(attempt)
    await attempt.outcome.promise
    const backend = await memoryBackend.open(url, options)
    const close = backend.close.bind(backend)
    backend.close = () => {
      attempt.closed = true
      return close()
    }
    return backend
  }
  app.backends.register('away', async () => ({ name: 'away', open }))
  onTestFinished(() => app.close())
  const until = async (count: number): Promise<void> => {
    while (attempts.length < count) await new Promise((resolve) => setImmediate(resolve))
  }
  return { app, attempts, until }
}

test('F-24 whoever tries again and again does not fail with who tries once', async () => {
  const { app, attempts, until } = setUp()
  const once = expect(app.backend({ once: true })).rejects.toBe(away)
  const patient = app.backend()
  await until(1)
  attempts[0]?.outcome.reject(away)
  await once
  await until(2)
  expect(attempts.map((attempt) => attempt.once)).toEqual([true, false])
  attempts[1]?.outcome.resolve()
  await patient
})

test('whoever tries again and again shares the store that a single try has opened', async () => {
  const { app, attempts, until } = setUp()
  const [once, patient] = [app.backend({ once: true }), app.backend()]
  await until(1)
  attempts[0]?.outcome.resolve()
  expect(await patient).toBe(await once)
  expect(await app.backend()).toBe(await once)
  expect(attempts).toHaveLength(1)
})

test('F-24 whoever tries once hears at once that the store is away, also while somebody else tries on', async () => {
  const { app, attempts, until } = setUp()
  const patient = app.backend()
  await until(1)
  const once = expect(app.backend({ once: true })).rejects.toBe(away)
  await until(2)
  attempts[1]?.outcome.reject(away)
  await once
  attempts[0]?.outcome.resolve()
  const backend = await patient
  expect(await app.backend({ once: true })).toBe(backend)
  expect(attempts).toHaveLength(2)
})

test('of two attempts that open it the first is everybody’s, and the other is closed', async () => {
  const { app, attempts, until } = setUp()
  const patient = app.backend()
  await until(1)
  const once = app.backend({ once: true })
  await until(2)
  attempts[1]?.outcome.resolve()
  const backend = await once
  attempts[0]?.outcome.resolve()
  expect(await patient).toBe(backend)
  expect(attempts.map(({ closed }) => closed)).toEqual([true, false])
})

test('who tries again and again in vain gets what another attempt has opened', async () => {
  const { app, attempts, until } = setUp()
  const patient = app.backend()
  await until(1)
  const once = app.backend({ once: true })
  await until(2)
  attempts[1]?.outcome.resolve()
  const backend = await once
  attempts[0]?.outcome.reject(away)
  expect(await patient).toBe(backend)
})

test('all that is still being opened is waited for and closed with the app', async () => {
  const { app, attempts, until } = setUp()
  const patient = app.backend().catch(() => undefined)
  await until(1)
  const once = app.backend({ once: true }).catch(() => undefined)
  await until(2)
  const closing = app.close()
  for (const { outcome } of attempts) outcome.reject(away)
  await Promise.all([closing, patient, once])
  await expect(app.backend()).rejects.toMatchObject({ code: 'ERR_CELERY_APP_CLOSED' })
})
