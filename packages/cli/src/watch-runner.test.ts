import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { watchRunner } from './watch-runner.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const npx = { npm_config_user_agent: 'npm/10.8.2 node/v22.14.0 linux x64 workspaces/false' }

/** What is told within a minute in which the parent ends. */
function told(env: NodeJS.ProcessEnv, isDisposed = false): readonly string[] {
  const gone: string[] = []
  let parent = 100
  const watch = watchRunner(
    env,
    (runner) => gone.push(runner),
    () => parent,
  )
  vi.advanceTimersByTime(30_000)
  expect(gone).toEqual([])
  if (isDisposed) watch[Symbol.dispose]()
  parent = 1
  vi.advanceTimersByTime(30_000)
  watch[Symbol.dispose]()
  return gone
}

test('tells once that the package runner has ended', () => {
  expect(told(npx)).toEqual(['npm'])
})

test('tells nothing where there is none, and none that was disposed', () => {
  expect(told({})).toEqual([])
  expect(told({ npm_config_user_agent: '' })).toEqual([])
  expect(told(npx, true)).toEqual([])
})
