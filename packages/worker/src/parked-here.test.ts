import type { TaskHeaders } from '@celery/protocol'
import { expect, test } from 'vitest'
import { ParkedHere } from './parked-here.ts'

const run = (id: string, retries = 0): TaskHeaders => ({ id, retries }) as TaskHeaders

test('knows a run again once, and no other run of the same task', () => {
  const parked = new ParkedHere()
  parked.add(run('a'))
  expect([parked.take(run('b')), parked.take(run('a', 1))]).toEqual([false, false])
  expect([parked.take(run('a')), parked.take(run('a'))]).toEqual([true, false])
})

test('does not grow for ever where others get what was parked here', () => {
  const parked = new ParkedHere()
  for (let n = 0; n <= 1_000; n++) parked.add(run(`${n}`))
  expect([parked.take(run('0')), parked.take(run('1')), parked.take(run('1000'))]).toEqual([false, true, true])
})
