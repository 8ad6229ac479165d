import { expect, test } from 'vitest'
import { parseCommandLine, UsageError } from './command-line.ts'

test('paths are taken from the folder the command is run in', () => {
  const commandLine = parseCommandLine(['--suite', 'x', '--json', 'out.json', '--only', 'a, b', '--runs', '3'], '/here')
  expect(commandLine).toMatchObject({ suite: 'x', json: '/here/out.json', only: ['a', 'b'], runs: 3, tasks: 10_000 })
})

test.each([['--runs', '0'], ['--tasks', 'many'], ['--round-trips', '1.5'], ['--no-such-option'], ['stray']])(
  'refuses %s %s',
  (...args) => {
    expect(() => parseCommandLine(args.filter((each) => each !== undefined))).toThrow(UsageError)
  },
)
