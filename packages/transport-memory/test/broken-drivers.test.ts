import { runCase, transportCases } from '@celery/transport/testkit'
import { describe, expect, test } from 'vitest'
import { type BrokenDriver, brokenDrivers } from './broken-drivers.ts'
import { memoryUnderTest } from './memory-under-test.ts'

describe('the conformance kit', () => {
  test('has at least 60 cases, each of another name', () => {
    const names = new Set(transportCases.map(({ name }) => name))
    expect(names.size).toBe(transportCases.length)
    expect(names.size).toBeGreaterThanOrEqual(60)
  })

  test('finds nothing wrong with the memory driver', { timeout: 60_000 }, async () => {
    expect(await failingCases((transport) => transport, 10_000)).toEqual([])
  })

  for (const { fault, foundBy, alter } of brokenDrivers) {
    test(`finds a driver that ${fault}`, { timeout: 60_000 }, async () => {
      const failed = await failingCases(alter, 400)
      expect(failed).toContain(foundBy)
    })
  }
})

/** Runs the whole kit against an altered memory driver; resolves to the names of the cases that fail. */
async function failingCases(alter: BrokenDriver['alter'], deadlineMs: number): Promise<readonly string[]> {
  const failed: string[] = []
  const todo = [...transportCases]
  const run = async (): Promise<void> => {
    for (let testCase = todo.shift(); testCase !== undefined; testCase = todo.shift()) {
      const { name } = testCase
      await runCase(testCase, async () => memoryUnderTest(alter), { deadlineMs }).catch(() => failed.push(name))
    }
  }
  // Most cases wait most of the time, and a broken driver until the deadline.
  await Promise.all(Array.from({ length: 30 }, run))
  return failed
}
