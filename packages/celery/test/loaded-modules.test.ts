import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'

const hooks = new URL('./fixtures/record-modules.mjs', import.meta.url).href
const celery = new URL('../dist/index.js', import.meta.url).href

const command = new URL('../bin/celery.js', import.meta.url)

/** Which modules a process of its own has loaded when it ends, run in an empty folder. */
function modulesOf(argsIn: (folder: string) => readonly string[]): readonly string[] {
  const folder = mkdtempSync(join(tmpdir(), 'celery-modules-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'modules')
  const register = `import { register } from 'node:module'; register(${JSON.stringify(hooks)})`
  const recording = ['--import', `data:text/javascript,${encodeURIComponent(register)}`]
  execFileSync(process.execPath, [...recording, ...argsIn(folder)], {
    env: { ...process.env, MODULES_FILE: file },
    cwd: folder,
    timeout: 60_000,
  })
  return readFileSync(file, 'utf8').split('\n')
}

function modulesOfProgram(program: string): readonly string[] {
  return modulesOf((folder) => {
    const source = `
      const { Celery } = await import(${JSON.stringify(celery)})
      const app = new Celery('modules', { broker: 'memory://', backend: 'memory://', root: ${JSON.stringify(folder)} })
      app.task('add', (x, y) => x + y)
      ${program}
      await app.close()`
    return ['--input-type=module', '-e', source]
  })
}

/** Without the one file of the worker that all need, for the help: the names of pools. */
function modulesOfCommand(...args: readonly string[]): readonly string[] {
  const modules = modulesOf((folder) => [fileURLToPath(command), '-b', `sqlite:///${folder}/queue.db`, ...args])
  return modules.filter((url) => !url.endsWith(packageOf('worker/dist/pools/pool-names.js')))
}

const packageOf = (name: string): string => pathToFileURL(join('/', 'packages', name)).href.slice('file://'.length)
const formats =
  /serialization\/dist\/(?:yaml\/(?:read|write)|msgpack\/(?:read|write)|pickle\/(?:read|write))|js-yaml|bzip2-wasm|lzma/

test('a program that only sends loads no worker, and no format but JSON', () => {
  const modules = modulesOfProgram(`await app.sendTask('add', [1, 2])`)
  expect(modules.some((url) => url.includes(packageOf('app/dist/')))).toBe(true)
  expect(modules.filter((url) => url.includes(packageOf('worker/')) || formats.test(url))).toEqual([])
})

test('a worker loads no format but JSON, and others when they are used', () => {
  const runs = `
    const worker = await app.startWorker()
    const send = async (options) => (await app.sendTask('add', [1, 2], options)).get({ timeout: 30 })
    await send({})`
  expect(modulesOfProgram(`${runs}; await worker.stop()`).filter((url) => formats.test(url))).toEqual([])
  const used = modulesOfProgram(
    `app.conf.acceptContent = ['json', 'yaml']; ${runs}; await send({ serializer: 'yaml' }); await worker.stop()`,
  )
  expect(used.some((url) => url.includes('js-yaml'))).toBe(true)
  expect(used.filter((url) => /msgpack\/read|pickle\/read|bzip2-wasm|lzma/.test(url))).toEqual([])
})

test('a command loads no worker but to run one, and no prompt but to show one', () => {
  const sending = modulesOfCommand('call', 'add')
  expect(sending.some((url) => url.includes(packageOf('app/dist/')))).toBe(true)
  expect(sending.filter((url) => url.includes(packageOf('worker/')) || url === 'node:repl')).toEqual([])
})

test.each(['--help', '--version', 'worker --help'])('celery %s loads no app, no worker and no broker', (line) => {
  const heavy = /app\/dist\/celery-app|node:repl/
  const parts = ['worker/', 'messaging/', 'transport'].map(packageOf)
  const modules = modulesOfCommand(...line.split(' '))
  expect(modules.some((url) => url.includes(packageOf('cli/dist/')))).toBe(true)
  expect(modules.filter((url) => heavy.test(url) || parts.some((part) => url.includes(part)))).toEqual([])
})
