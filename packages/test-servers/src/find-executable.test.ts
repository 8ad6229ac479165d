import { basename, isAbsolute } from 'node:path'
import { expect, test } from 'vitest'
import { findExecutable } from './find-executable.ts'

test('finds a program on PATH and not what is absent, a folder or a plain file', () => {
  const shell = findExecutable('sh')
  expect(shell !== undefined && isAbsolute(shell) && basename(shell)).toBe('sh')
  expect(findExecutable('no-such-program')).toBeUndefined()
  expect(findExecutable('.')).toBeUndefined()
  expect(findExecutable('../../etc/passwd')).toBeUndefined()
})
