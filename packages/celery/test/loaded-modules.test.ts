import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'

const hooks = new URL('./fixtures/record-modules.mjs', import.meta.url).href
const celery = new URL('../dist/index.js', import.meta.url).href

/** Which modules a program in a process of its own has loaded when it ends. */
function modulesOf(program: string): readonly string[] {
  const folder = mkdtempSync(join(tmpdir(), 'celery-modules-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'modules')
  const source = `
    import { register } from 'node:module'
    register(${JSON.stringify(hooks)})
    const { Celery } = await import(${JSON.stringify(celery)})
    const app = new Celery('modules', { broker: 'memory://', backend: 'memory://', root: ${JSON.stringify(folder)} })
    app.task('add', (x, y) => x + y)
    ${program}
    await app.close()`
  execFileSync(process.execPath, ['--input-type=module', '-e', source], {
    env: { ...process.env, MODULES_FILE: file },
    cwd: folder,
    timeout: 60_000,
  })
  return readFileSync(file, 'utf8').split('\n')
}

const packageOf = (name: string): string => pathToFileURL(join('/', 'packages', name)).href.slice('file://'.length)
const formats =
  /serialization\/dist\/(?:yaml\/(?:read|write)|msgpack\/(?:read|write)|pickle\/(?:read|write))|js-yaml|bzip2-wasm|lzma/

test('a program that only sends loads no worker, and no format but JSON', () => {
  const modules = modulesOf(`await app.sendTask('add', [1, 2])`)
  expect(modules.some((url) => url.includes(packageOf('app/dist/')))).toBe(true)
  expect(modules.filter((url) => url.includes(packageOf('worker/')) || formats.test(url))).toEqual([])
})

test('a worker loads no format but JSON, and others when they are used', () => {
  const runs = `
    const worker = await app.startWorker()
    const send = async (options) => (await app.sendTask('add', [1, 2], options)).get({ timeout: 30 })
    await send({})`
  expect(modulesOf(`${runs}; await worker.stop()`).filter((url) => formats.test(url))).toEqual([])
  const used = modulesOf(
    `app.conf.acceptContent = ['json', 'yaml']; ${runs}; await send({ serializer: 'yaml' }); await worker.stop()`,
  )
  expect(used.some((url) => url.includes('js-yaml'))).toBe(true)
  expect(used.filter((url) => /msgpack\/read|pickle\/read|bzip2-wasm|lzma/.test(url))).toEqual([])
})
