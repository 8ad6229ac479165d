import { expect, test } from 'vitest'
import { threadExecArgv } from './thread-link.ts'

test.each([
  [[], []],
  [
    ['--max-old-space-size=64', '--import', 'tsx', '--no-warnings'],
    ['--import', 'tsx'],
  ],
  [
    ['--import=./a.mjs', '-r', './b.cjs', '-C', 'source', '--inspect'],
    ['--import=./a.mjs', '-r', './b.cjs', '-C', 'source'],
  ],
  [['--import'], ['--import']],
])('of %j a thread takes %j', (given, kept) => {
  expect(threadExecArgv(given)).toEqual(kept)
})
