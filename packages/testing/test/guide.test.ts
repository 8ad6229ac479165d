/** The guide and the README as a reader takes them: their files in a folder of their own, run by the test runners they name. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const packageFolder = fileURLToPath(new URL('..', import.meta.url))
const workspaceRoot = fileURLToPath(new URL('../../..', import.meta.url))
const deadlineMs = 120_000

/** Files of a page: fenced blocks that begin with a comment with their name. */
function filesOf(page: URL): ReadonlyMap<string, string> {
  const blocks = readFileSync(page, 'utf8').matchAll(/^```ts\n\/\/ ([\w.-]+\.ts)\n(.*?)^```$/gms)
  return new Map([...blocks].map(([, file = '', source = '']) => [file, source]))
}

const guide = filesOf(new URL('../../../docs/how-to/testing.md', import.meta.url))
const readme = filesOf(new URL('../README.md', import.meta.url))

/** A folder outside of the workspace with everything installed. */
function project(): string {
  const folder = mkdtempSync(join(tmpdir(), 'celery-testing-'))
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }')
  const modules = join(folder, 'node_modules')
  mkdirSync(join(modules, '@celery'), { recursive: true })
  for (const name of readdirSync(join(packageFolder, 'node_modules', '@celery'))) {
    symlinkSync(join(packageFolder, 'node_modules', '@celery', name), join(modules, '@celery', name))
  }
  symlinkSync(packageFolder, join(modules, '@celery', 'testing'))
  symlinkSync(join(workspaceRoot, 'packages', 'celery'), join(modules, 'celery'))
  for (const name of ['tsx', 'vitest', '@types', 'typescript']) {
    symlinkSync(join(workspaceRoot, 'node_modules', name), join(modules, name))
  }
  for (const [file, source] of [...guide, ...readme]) writeFileSync(join(folder, file), source)
  return folder
}

interface Ended {
  readonly status: number | null
  readonly output: string
}

async function run(folder: string, args: readonly string[]): Promise<Ended> {
  // What names a broker, or says that a test runner is at work, is not the project's.
  const { CELERY_BROKER_URL: _broker, CELERY_RESULT_BACKEND: _store, CELERY_LOCAL: _local, ...env } = process.env
  for (const name of Object.keys(env)) if (/^(VITEST|NODE_TEST|NODE_OPTIONS|TEST$)/.test(name)) delete env[name]
  const child: ChildProcess = spawn(process.execPath, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk
    })
  }
  const timer = setTimeout(() => child.kill('SIGKILL'), deadlineMs)
  const [status] = (await once(child, 'close')) as [number | null]
  clearTimeout(timer)
  return { status, output }
}

describe('a project with tests', { timeout: 2 * deadlineMs }, () => {
  let folder: string

  beforeAll(() => {
    folder = project()
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const nodeTests = [...guide.keys(), ...readme.keys()].filter((file) => file.endsWith('.test.ts'))
  test.each(nodeTests)('TEST-006 %s passes in the runner of Node', async (file) => {
    const { output, status } = await run(folder, ['--import', 'tsx', '--test', '--test-reporter=tap', file])
    expect(output).toMatch(/^# fail 0$/m)
    expect(output).toMatch(/^# pass [1-9]/m)
    expect(status, output).toBe(0)
  })

  test('TEST-007 fixtures pass in Vitest', async () => {
    const vitest = join(folder, 'node_modules', 'vitest', 'vitest.mjs')
    const { output, status } = await run(folder, [vitest, 'run', 'fixtures.spec.ts', '--no-color'])
    expect(output).toContain('2 passed')
    expect(status, output).toBe(0)
  })

  test('a test whose expectation is wrong fails, and says what was sent', async () => {
    const source = guide.get('checkout.test.ts')?.replace('link: [sendReceipt.si(7)]', "queue: 'billing'")
    writeFileSync(join(folder, 'wrong.test.ts'), source ?? '')
    const { output, status } = await run(folder, ['--import', 'tsx', '--test', '--test-reporter=spec', 'wrong.test.ts'])
    expect(status).toBe(1)
    const [, shown = ''] = /^```text\n(.*?)^```$/ms.exec(
      readFileSync(new URL('../../../docs/how-to/testing.md', import.meta.url), 'utf8'),
    ) as RegExpExecArray
    for (const line of shown.trimEnd().split('\n')) expect(output).toContain(line.trim())
    expect(output).toMatch(/queue: 'celery'/)
  })

  test('its files compile', async () => {
    const compilerOptions = {
      target: 'es2022',
      lib: ['es2023', 'esnext.disposable'],
      module: 'nodenext',
      types: ['node'],
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      allowImportingTsExtensions: true,
    }
    const include = [...guide.keys(), ...readme.keys()]
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include }))
    const { output, status } = await run(folder, [join(workspaceRoot, 'node_modules', 'typescript', 'bin', 'tsc')])
    expect(output).toBe('')
    expect(status).toBe(0)
  })
})
