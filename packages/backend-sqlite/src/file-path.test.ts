import { expect, test } from 'vitest'
import { filePath } from './file-path.ts'

test.each([
  ['sqlite:////srv/app/queue.db', '/srv/app/queue.db'],
  ['sqlite:///queue.db', 'queue.db'],
  ['sqlite:///./data/queue.db', './data/queue.db'],
  ['sqlite:///C:/app/queue.db', 'C:/app/queue.db'],
  ['sqlite:////srv/my%20app/50%25%3F.db?timeout=5', '/srv/my app/50%?.db'],
  ['sqlite:////srv/100%/my%20%C3%BC.db', '/srv/100%/my ü.db'],
])('%s names the file %s', (url, path) => {
  expect(filePath(url)).toBe(path)
})

test.each(['sqlite://', 'sqlite:///', 'sqlite:////srv/', 'sqlite', 'sqlite:///?x=1', 'sqlite://queue.db'])(
  '%s is refused, saying how to write it',
  (url) => {
    expect(() => filePath(url)).toThrow(/write sqlite:\/\/\/queue\.db/)
  },
)
