import { expect, test } from 'vitest'
import { BackendRegistry } from './backend-registry.ts'
import type { BackendDriver, ResultBackend } from './result-backend.ts'

function driver(opened: string[]): BackendDriver {
  return {
    name: 'fake',
    async open(url) {
      opened.push(url)
      return {} as ResultBackend
    },
  }
}

test('loads a driver when a URL of its scheme is first opened, and hands it the URL', async () => {
  const opened: string[] = []
  let loads = 0
  const registry = new BackendRegistry().register('fake', async () => {
    loads += 1
    return driver(opened)
  })
  expect(loads).toBe(0)
  await registry.open('FAKE://User:Secret@host/0')
  expect(opened).toEqual(['FAKE://User:Secret@host/0'])
  expect(registry.has('Fake')).toBe(true)
  expect(registry.schemes).toEqual(['fake'])
})

test('takes a bare name as a scheme', async () => {
  const opened: string[] = []
  await new BackendRegistry().register('rpc', async () => driver(opened)).open('rpc')
  expect(opened).toEqual(['rpc'])
})

test('names the known schemes when it knows no driver, and shows no password', async () => {
  const registry = new BackendRegistry().register('memory', async () => driver([]))
  const opening = registry.open('redsi://:secret@host')
  await expect(opening).rejects.toMatchObject({
    code: 'ERR_CELERY_UNKNOWN_BACKEND',
    scheme: 'redsi',
    known: ['memory'],
  })
  await expect(opening).rejects.not.toThrow(/secret/)
})
