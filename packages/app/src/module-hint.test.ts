import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { moduleHint } from './module-hint.ts'

const old = { version: 'v20.19.0', readsTypeScript: false }
const recent = { version: 'v24.1.0', readsTypeScript: true }
const byTsx = 'let tsx load it: npm install tsx, and set NODE_OPTIONS="--import tsx"'

let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'celery-hint-'))
  for (const file of ['app.ts', 'more.mts', 'there.js']) writeFileSync(join(folder, file), '')
})

afterAll(() => rmSync(folder, { recursive: true }))

const failure = (code: string | undefined, message: string): Error =>
  Object.assign(new Error(message), code === undefined ? {} : { code })
const notFound = (path: string): Error =>
  failure('ERR_MODULE_NOT_FOUND', `Cannot find module '${path}' imported from ${folder}/tasks.ts`)

test.each([
  ['app.js', 'app.ts'],
  ['app', 'app.ts'],
  ['more.mjs', 'more.mts'],
])('%s that is %s: Node takes paths as they are written', (written, is) => {
  const path = join(folder, written)
  const hint = `there is ${join(folder, is)}, and Node v24.1.0 takes what is imported as it is written: write the extension .ts, or ${byTsx}`
  expect(moduleHint(notFound(path), recent)).toBe(hint)
  expect(moduleHint(notFound(pathToFileURL(path).href), recent)).toBe(hint)
  expect(moduleHint(notFound(path), old)).toBe(
    `there is ${join(folder, is)}, but Node v20.19.0 reads JavaScript alone: name the compiled module, or start with TypeScript (npx tsx program.ts, celery -A ./tasks.ts)`,
  )
})

test('TypeScript that is more than types', () => {
  const error = failure('ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX', 'TypeScript enum is not supported in strip-only mode')
  expect(moduleHint(error, recent)).toBe(
    `Node v24.1.0 takes types out of TypeScript and translates nothing: write it without what has to be translated (an object of constants in place of an enum), or ${byTsx}`,
  )
})

test.each([
  'Cannot use import statement outside a module',
  "Unexpected token 'export'",
  'await is only valid in async functions and the top level bodies of modules',
  'Transform failed with 1 error:\n/x/tasks.ts:3:0: ERROR: Top-level await is currently not supported with the "cjs" output format',
])('what CommonJS does not have: %s', (message) => {
  expect(moduleHint(failure(undefined, message), recent)).toBe(
    'it is read as CommonJS: put "type": "module" into the nearest package.json, or name the file .mts or .mjs',
  )
})

test('everything else is the module’s own', () => {
  expect(moduleHint(notFound(join(folder, 'gone.js')), recent)).toBeUndefined()
  expect(moduleHint(failure('ERR_MODULE_NOT_FOUND', "Cannot find package 'left-pad' imported from /x"), recent)).toBe(
    undefined,
  )
  expect(moduleHint(failure('ERR_UNKNOWN_FILE_EXTENSION', 'Unknown file extension ".css" for /x.css'), old)).toBe(
    undefined,
  )
  for (const thrown of [new RangeError('PORT is not set'), 'a text', undefined, null]) {
    expect(moduleHint(thrown, recent)).toBeUndefined()
  }
})
