import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadApp } from './load-app.ts'
import { UsageError } from './usage-error.ts'

let folder: string
/** What an app of any installed copy looks like to others. */
const app = (main: string) =>
  `export const main = { main: '${main}', [Symbol.for('celery.app')]: true, async configure() { this.configured = true } }`
const files = {
  'tasks.mjs': app('tasks'),
  'web.mjs': 'export const port = 80',
  'web/celery.mjs': app('below'),
  'site/index.mjs': 'export const port = 80',
  'site/celery.mjs': app('site'),
  'lone.mjs': 'export const port = 80',
}

beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'celery-load-')))
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(join(folder, dirname(file)), { recursive: true })
    writeFileSync(join(folder, file), text)
  }
})

afterAll(() => rmSync(folder, { recursive: true }))

describe('the app is loaded, with its settings,', () => {
  test.each([
    ['tasks', 'tasks', 'tasks.mjs'],
    ['web', 'below', 'web/celery.mjs'],
    ['site/index.mjs', 'site', 'site/celery.mjs'],
  ])('of %s', async (spec, main, file) => {
    const loaded = await loadApp(spec, folder)
    expect(loaded.app).toMatchObject({ main, configured: true })
    expect(loaded.location?.file).toBe(join(folder, file))
  })

  test.each(['lone', 'web:port'])('not of %s, which has none', async (spec) => {
    await expect(loadApp(spec, folder)).rejects.toBeInstanceOf(UsageError)
  })
})
