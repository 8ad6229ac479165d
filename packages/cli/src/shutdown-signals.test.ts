import { deferred } from '@celery/promises'
import type { Worker } from '@celery/worker'
import { expect, onTestFinished, test, vi } from 'vitest'
import { shutDownOnSignals } from './shutdown-signals.ts'

/** A worker that never ends, and says what it is told. */
function setUp(softTimeout = 0, env: NodeJS.ProcessEnv = {}) {
  const calls: string[] = []
  const closed = deferred()
  const worker = {
    app: { conf: { workerSoftShutdownTimeout: softTimeout } },
    isCold: false,
    closed: closed.promise,
    load: async () => void calls.push('load'),
    start: () => closed.promise,
    stop: async ({ timeout }: { readonly timeout?: number }) => void calls.push(`stop ${timeout ?? ''}`.trim()),
    terminate: async () => void calls.push('terminate'),
  }
  const exit = vi.spyOn(process, 'exit').mockImplementation((status) => {
    calls.push(`exit ${status}`)
    throw exited
  })
  let nowMs = 0
  const ended = shutDownOnSignals(worker as unknown as Worker, {
    env,
    notify: () => {},
    now: () => nowMs,
    onLoaded: async () => void calls.push('loaded'),
  })
  onTestFinished(async () => {
    closed.resolve()
    await ended
    exit.mockRestore()
  })
  /** `afterMs` after the one before. */
  const signal = (name: NodeJS.Signals, afterMs = 1_000): void => {
    nowMs += afterMs
    try {
      process.emit(name, name)
    } catch (error) {
      if (error !== exited) throw error
    }
  }
  return { calls, closed, ended, signal, worker }
}

const exited = new Error('the process has ended')

test.each([
  [['SIGTERM', 'SIGTERM', 'SIGTERM'], 0, ['stop', 'terminate', 'exit 1']],
  [['SIGINT', 'SIGQUIT', 'SIGINT'], 0, ['stop', 'terminate', 'exit 1']],
  [['SIGQUIT', 'SIGQUIT'], 0, ['terminate', 'exit 1']],
  [['SIGQUIT', 'SIGQUIT', 'SIGQUIT'], 5, ['stop 5', 'terminate', 'exit 1']],
  [['SIGINT', 'SIGINT', 'SIGINT', 'SIGINT'], 5, ['stop', 'stop 5', 'terminate', 'exit 1']],
] as const)('WORK-068 WORK-075 %j with a soft timeout of %d s', (signals, softTimeout, expected) => {
  const { calls, signal } = setUp(softTimeout)
  for (const name of signals) signal(name)
  expect(calls).toEqual(['load', ...expected])
})

test('WORK-076 REMAP_SIGTERM=SIGQUIT makes TERM cold, and INT stays warm', () => {
  const { calls, signal } = setUp(0, { REMAP_SIGTERM: 'SIGQUIT' })
  signal('SIGTERM')
  expect(calls).toEqual(['load', 'terminate'])
})

test('WORK-068 the same signal again within 100 ms counts once, a later one does', () => {
  const { calls, signal } = setUp()
  signal('SIGTERM')
  signal('SIGTERM', 5)
  signal('SIGTERM', 94)
  expect(calls).toEqual(['load', 'stop'])
  signal('SIGTERM', 1)
  expect(calls).toEqual(['load', 'stop', 'terminate'])
})

test('WORK-068 two different signals at once are two', () => {
  const { calls, signal } = setUp()
  signal('SIGINT')
  signal('SIGTERM', 5)
  expect(calls).toEqual(['load', 'stop', 'terminate'])
})

test('says that the modules are loaded', async () => {
  const { calls } = setUp()
  await vi.waitFor(() => expect(calls).toEqual(['load', 'loaded']))
})

test('does not say that the modules are loaded when it was told to stop meanwhile', async () => {
  const { calls, closed, ended, signal } = setUp()
  signal('SIGTERM')
  closed.resolve()
  await ended
  expect(calls).toEqual(['load', 'stop'])
})

test('tells how it ended, and listens to signals no longer', async () => {
  const before = process.listenerCount('SIGTERM')
  const { closed, ended, signal, worker } = setUp()
  signal('SIGTERM')
  worker.isCold = true
  closed.resolve()
  expect(await ended).toBe('cold')
  expect(process.listenerCount('SIGTERM')).toBe(before)
})
