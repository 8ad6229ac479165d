import { describe, expect, test, vi } from 'vitest'
import { runCommand } from './run-command.ts'

/** Runs a command here and tells how it ended and what it said. */
async function run(...args: readonly string[]) {
  const said: string[] = []
  const write = (text: string | Uint8Array): boolean => said.push(String(text)) > 0
  const out = vi.spyOn(process.stdout, 'write').mockImplementation(write)
  const error = vi.spyOn(process.stderr, 'write').mockImplementation(write)
  try {
    return { status: await runCommand(args), said: said.join('') }
  } finally {
    out.mockRestore()
    error.mockRestore()
  }
}

describe('commands that come later say so, whatever follows, with status 64', () => {
  test.each([
    'amqp',
    'beat',
    'control',
    'events',
    'flower',
    'graph',
    'inspect',
    'list',
    'logtool',
    'migrate',
    'multi',
    'status',
    'upgrade',
  ])('celery %s', async (name) => {
    for (const args of [[], ['--help'], ['x', '-d', 'y', '--json']]) {
      const { said, status } = await run(name, ...args)
      expect(said).toMatch(
        new RegExp(`^celery: there is no "celery ${name}" in this release: .* will come with a later one\\n$`),
      )
      expect(status).toBe(64)
    }
  })

  test('and are in no list', async () => {
    const { said, status } = await run('--help')
    expect(status).toBe(0)
    expect(said).toMatch(/^ {2}worker/m)
    expect(said).not.toMatch(/^ {2}(beat|events|multi|inspect)/m)
  })
})

test('without a command it shows what there is, with status 64', async () => {
  const { said, status } = await run()
  expect(said).toContain('Usage: celery [options] [command]')
  expect(status).toBe(64)
})

test('the process goes on after a mistake', async () => {
  expect((await run('nonsense')).status).toBe(64)
  expect((await run('-V')).said).toMatch(/^\d+\.\d+\.\d+\n$/)
})
