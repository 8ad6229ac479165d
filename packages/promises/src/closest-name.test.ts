import { describe, expect, test } from 'vitest'
import { closestName } from './closest-name.ts'

describe('the closest name', () => {
  const known = ['taskAcksLate', 'taskTrackStarted', 'brokerUrl', 'workerPool']

  test.each<[string, string | undefined]>([
    ['taskAckLate', 'taskAcksLate'],
    ['taskAcksLaet', 'taskAcksLate'],
    ['TASKACKSLATE', 'taskAcksLate'],
    ['brokerURL', 'brokerUrl'],
    ['broker', undefined],
  ])('of %s is %s', (name, closest) => {
    expect(closestName(name, [...known, 'x'])).toBe(closest)
  })

  test('counts two letters that are swapped as one slip', () => {
    expect(closestName('vidoe', ['video'])).toBe('video')
    expect(closestName('vdieo', ['video', 'other'])).toBe('video')
    expect(closestName('oediv', ['video'])).toBeUndefined()
  })

  test('counts one and many as the same', () => {
    expect(closestName('maxRetry', ['maxRetries', 'expires'])).toBe('maxRetries')
    expect(closestName('maxRetries', ['maxRetry'])).toBe('maxRetry')
    expect(closestName('task', ['tasks'])).toBe('tasks')
  })

  test('is none where every name is another word', () => {
    expect(closestName('timezone', known)).toBeUndefined()
    expect(closestName('', known)).toBeUndefined()
    expect(closestName('x', [])).toBeUndefined()
  })

  test('is the name itself where it is known, and the first of several as close', () => {
    expect(closestName('workerPool', known)).toBe('workerPool')
    expect(closestName('tasks.ad', ['tasks.add', 'tasks.and'])).toBe('tasks.add')
  })
})
