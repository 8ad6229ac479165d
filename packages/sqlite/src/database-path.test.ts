import { expect, test } from 'vitest'
import { databasePath } from './database-path.ts'

test.each([
  ['sqlite:///queue.db', 'queue.db'],
  ['sqlite:///./data/queue.db', './data/queue.db'],
  ['sqlite:////srv/app/queue.db', '/srv/app/queue.db'],
  ['sqlite:///C:/app/queue.db', 'C:/app/queue.db'],
  ['sqlite:///C:\\app\\queue.db', 'C:\\app\\queue.db'],
  ['SQLite:///queue.db', 'queue.db'],
  ['db+sqlite:///queue.db', 'queue.db'],
  ['sqlite:////srv/a%3Bb.db', '/srv/a;b.db'],
  ['sqlite:////srv/a%3Fb.db', '/srv/a?b.db'],
  ['sqlite:////srv/a%23b.db', '/srv/a#b.db'],
  ['sqlite:////srv/a#b.db', '/srv/a#b.db'],
  ['sqlite:////srv/a%252Fb.db', '/srv/a%2Fb.db'],
  ['sqlite:////srv/my app/50%.db', '/srv/my app/50%.db'],
  ['sqlite:////srv/my%20app/50%25.db', '/srv/my app/50%.db'],
  ['sqlite:////srv/%C3%BC.db', '/srv/ü.db'],
  ['sqlite:////srv/queue.db?timeout=5', '/srv/queue.db'],
  [' sqlite:///queue.db ; ', 'queue.db'],
])('%s names the file %s', (url, path) => {
  expect(databasePath(url)).toBe(path)
})

test.each([
  ['', 'it has no scheme; write sqlite:///queue.db'],
  ['queue.db', 'it has no scheme; write sqlite:///queue.db'],
  ['C:/app/queue.db', 'it has no scheme; write sqlite:///queue.db'],
  ['sqlite://', 'it names no file; write sqlite:///queue.db'],
  ['sqlite:///', 'it names no file; write sqlite:///queue.db'],
  ['sqlite:///?x=1', 'it names no file; write sqlite:///queue.db'],
  ['sqlite:////srv/', 'it names no file; write sqlite:///queue.db'],
  ['sqlite:////srv%2F', 'it names no file; write sqlite:///queue.db'],
  ['sqlite:///:memory:', 'a database in memory cannot be shared; write sqlite:///queue.db'],
  ['sqlite://queue.db', 'a file has no host; write sqlite:///queue.db'],
  ['sqlite://srv/queue.db', 'a file has no host; write sqlite:///srv/queue.db'],
  ['sqlite:///a;b.db', 'it names more than one file; write a ";" that belongs to a name as %3B'],
  ['sqlite:///a.db;sqlite:///b.db', 'it names more than one file; write a ";" that belongs to a name as %3B'],
])('"%s" is refused, saying why', (url, reason) => {
  expect(() => databasePath(url)).toThrow(
    expect.objectContaining({ code: 'ERR_CELERY_INVALID_DATABASE_URL', reason }) as Error,
  )
})

test('a user is refused without repeating the password', () => {
  expect(() => databasePath('sqlite://me:planted@srv/queue.db')).toThrow('a file has no user')
  expect(() => databasePath('sqlite://me:planted@srv/queue.db')).toThrow(
    expect.not.objectContaining({ message: expect.stringContaining('planted') as string }) as Error,
  )
})
