import { expect, test } from 'vitest'
import { inheritedExecArgv } from './pool-options.ts'

test('children inherit loaders and limits, but no debugger port and no code from the command line', () => {
  expect(
    inheritedExecArgv([
      '--import=tsx',
      '--inspect-brk=9229',
      '--max-old-space-size=200',
      '-e',
      'start()',
      '--input-type=module',
      '--test',
      '--enable-source-maps',
    ]),
  ).toEqual(['--import=tsx', '--max-old-space-size=200', '--enable-source-maps'])
})
