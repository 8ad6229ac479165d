import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { discoverModules } from './discover-modules.ts'
import { ModuleNotFoundError } from './setup-errors.ts'

let root: string
const files = [
  'video/tasks.ts',
  'video/jobs.mjs',
  'video/index.js',
  'apps/mail/tasks.js',
  'apps/shop/tasks.mjs',
  'apps/shop/cart/tasks.mjs',
  'apps/empty/readme.md',
  'apps/.hidden/tasks.js',
  'apps/node_modules/thing/tasks.js',
  'lone.tasks.mjs',
  'node_modules/installed/package.json',
  'node_modules/installed/tasks.js',
  'node_modules/installed/index.js',
]

beforeAll(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'celery-discover-')))
  for (const file of files) {
    mkdirSync(join(root, dirname(file)), { recursive: true })
    writeFileSync(join(root, file), file.endsWith('.json') ? '{}' : '')
  }
})

afterAll(() => rmSync(root, { recursive: true }))

function discover(entries: readonly string[], relatedName: string | null = 'tasks'): string[] {
  return discoverModules(entries, relatedName, root).map((url) => fileURLToPath(url).slice(root.length + 1))
}

describe('modules are found', () => {
  test.each<[string, string[]]>([
    ['video', ['video/tasks.ts']],
    ['apps.mail', ['apps/mail/tasks.js']],
    ['apps/empty', []],
    ['apps/*', ['apps/mail/tasks.js', 'apps/shop/tasks.mjs']],
    ['./apps/**/tasks.mjs', ['apps/shop/cart/tasks.mjs', 'apps/shop/tasks.mjs']],
    ['**/tasks.ts', ['video/tasks.ts']],
    ['*.tasks.mjs', ['lone.tasks.mjs']],
    ['nothing/*', []],
    ['installed', ['node_modules/installed/tasks.js']],
  ])('%s', (entry, found) => {
    expect(discover([entry])).toEqual(found)
  })

  test('each once, in the order of the entries', () => {
    expect(discover(['video', 'apps/mail', 'video'])).toEqual(['video/tasks.ts', 'apps/mail/tasks.js'])
  })

  test('under another name, or that of the folder or package itself', () => {
    expect(discover(['video', 'installed'], 'jobs')).toEqual(['video/jobs.mjs'])
    expect(discover(['video', 'installed'], null)).toEqual(['video/index.js', 'node_modules/installed/index.js'])
  })

  test('an entry that is nothing is an error', () => {
    expect(() => discover(['nothing'])).toThrow(ModuleNotFoundError)
  })
})
