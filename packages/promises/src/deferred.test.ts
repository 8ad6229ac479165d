import { expect, test } from 'vitest'
import { deferred } from './deferred.ts'

test('settles as it is told, once', async () => {
  const settled = deferred<number>()
  settled.resolve(1)
  settled.resolve(2)
  settled.reject(new Error('too late'))
  expect(await settled.promise).toBe(1)

  const failed = deferred()
  failed.reject(new Error('no'))
  await expect(failed.promise).rejects.toThrow('no')
})

test('follows another promise', async () => {
  const outer = deferred<string>()
  outer.resolve(Promise.resolve('inner'))
  expect(await outer.promise).toBe('inner')
})
