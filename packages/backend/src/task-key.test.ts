import { describe, expect, test } from 'vitest'
import { assertTaskId, globalKeyPrefix, taskKeyPrefix } from './task-key.ts'

describe('the key of a task', () => {
  test.each([
    [undefined, 'celery-task-meta-'],
    ['', 'celery-task-meta-'],
    ['app', 'app_celery-task-meta-'],
    ['app:', 'app:celery-task-meta-'],
    ['app_', 'app_celery-task-meta-'],
    ['app-', 'app-celery-task-meta-'],
    ['app.', 'app.celery-task-meta-'],
  ])('begins, with the global prefix %j, with %j', (prefix, expected) => {
    expect(taskKeyPrefix(prefix)).toBe(expected)
  })

  test('takes the global prefix in both spellings and refuses what is no string', () => {
    expect(globalKeyPrefix({ global_keyprefix: 'a' })).toBe('a')
    expect(globalKeyPrefix({ globalKeyprefix: 'b' })).toBe('b')
    expect(globalKeyPrefix({ other: 'c' })).toBeUndefined()
    expect(globalKeyPrefix(undefined)).toBeUndefined()
    expect(() => globalKeyPrefix({ global_keyprefix: 5 })).toThrow(TypeError)
  })
})

describe('a task id', () => {
  test.each(['6c1b7a0e-1f6a-4b43-8a4b-0a7a7b7f5a11', '../x', "'", '*', 'ü 🐦', 'a'.repeat(512)])(
    'may be %j',
    (taskId) => {
      expect(() => assertTaskId(taskId)).not.toThrow()
    },
  )

  test.each([
    ['', 'is empty'],
    ['a'.repeat(513), 'has 513 characters'],
    ['a\u0000', 'control character'],
    ['a\n', 'control character'],
    ['\u007f', 'control character'],
    ['\udc00', 'not valid Unicode'],
    ['a\ud83d', 'not valid Unicode'],
  ])('may not be %j, which %s', (taskId, fault) => {
    expect(() => assertTaskId(taskId)).toThrow(fault)
  })
})
