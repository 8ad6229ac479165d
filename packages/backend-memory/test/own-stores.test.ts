import { expect, test } from 'vitest'
import { memory, memoryBackend } from '../src/index.ts'

const write = { taskId: 'own-stores', state: 'SUCCESS', record: '{}', ttlMs: 1_000 }

test('a driver of its own shares its stores between its connections, and with nobody else', async () => {
  const driver = memoryBackend()
  await using one = await driver.open('memory://a')
  await one.store([write])
  const found = async (store = driver, url = 'memory://a'): Promise<number> => {
    await using backend = await store.open(url)
    return (await backend.fetch([write.taskId])).size
  }
  expect(await found()).toBe(1)
  expect(await found(driver, 'memory://b')).toBe(0)
  expect(await found(memoryBackend())).toBe(0)
  expect(await found(memory)).toBe(0)
})

test('a driver of its own has its time from who made it', async () => {
  let nowMs = 0
  await using backend = await memoryBackend({ now: () => nowMs }).open('memory://')
  await backend.store([write])
  nowMs = 999
  expect((await backend.fetch([write.taskId])).size).toBe(1)
  nowMs = 1_001
  expect((await backend.fetch([write.taskId])).size).toBe(0)
})
