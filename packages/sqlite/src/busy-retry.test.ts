import { expect, test } from 'vitest'
import { withBusyRetry } from './busy-retry.ts'
import { DatabaseBusyError } from './errors.ts'

const busy = new DatabaseBusyError('/file.db')

test('tries again for as long as the file is locked', async () => {
  let attempts = 0
  const run = (): string => {
    if (++attempts < 4) throw busy
    return 'done'
  }
  expect(await withBusyRetry(run)).toBe('done')
  expect(attempts).toBe(4)
})

test('passes on other errors at once', async () => {
  let attempts = 0
  const run = (): never => {
    attempts++
    throw new TypeError('a mistake')
  }
  await expect(withBusyRetry(run)).rejects.toThrow('a mistake')
  expect(attempts).toBe(1)
})

test('gives up at the deadline with the error of the last attempt', async () => {
  const run = (): never => {
    throw busy
  }
  await expect(withBusyRetry(run, { deadlineMs: 20 })).rejects.toBe(busy)
})

test('gives up when aborted', async () => {
  const controller = new AbortController()
  const run = (): never => {
    controller.abort(new Error('enough'))
    throw busy
  }
  await expect(withBusyRetry(run, { signal: controller.signal })).rejects.toThrow('enough')
})

test('does not run at all when aborted before', async () => {
  const run = (): never => {
    throw new Error('was run')
  }
  await expect(withBusyRetry(run, { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough')
})
