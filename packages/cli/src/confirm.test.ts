import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { confirm } from './confirm.ts'
import { UsageError } from './usage-error.ts'

function terminal(isTTY: boolean) {
  return { input: Object.assign(new PassThrough(), { isTTY }), output: Object.assign(new PassThrough(), { isTTY }) }
}

test.each([
  ['yes\r', true],
  ['Y\r', true],
  ['no\r', false],
  ['\r', false],
  ['yesterday\r', false],
  ['\u0003', false],
  ['\u0004', false],
])('CLI-013 %j is %s', async (answer, expected) => {
  const { input, output } = terminal(true)
  const asked = confirm('This deletes it all.', { input, output })
  input.write(answer)
  expect(await asked).toBe(expected)
  expect(String(output.read())).toContain('This deletes it all. There is no undo.\nAre you sure? [yes/no] ')
})

test('CLI-013 where nobody can be asked it says what to do', async () => {
  const asked = confirm('This deletes it all.', terminal(false))
  await expect(asked).rejects.toBeInstanceOf(UsageError)
  await expect(asked).rejects.toThrow('say -f')
})
