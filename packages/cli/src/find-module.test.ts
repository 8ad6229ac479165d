import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findAppModule, findModuleBelow } from './find-module.ts'
import { UsageError } from './usage-error.ts'

let folder: string
const files = [
  'tasks.ts',
  'both.ts',
  'both.js',
  'plain.mjs',
  'proj/celery.js',
  'proj/app.ts',
  'pkg/sub/jobs.js',
  'in/app.mts',
  'web.js',
  'web/celery.mjs',
  'site/index.ts',
  'site/celery.ts',
]

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'celery-find-'))
  for (const file of files) {
    mkdirSync(join(folder, dirname(file)), { recursive: true })
    writeFileSync(join(folder, file), '')
  }
})

afterAll(() => rmSync(folder, { recursive: true }))

describe('-A', () => {
  test.each([
    ['tasks.ts', 'tasks.ts', undefined],
    ['./tasks.ts', 'tasks.ts', undefined],
    ['tasks', 'tasks.ts', undefined],
    ['both', 'both.ts', undefined],
    ['both.js', 'both.js', undefined],
    ['plain', 'plain.mjs', undefined],
    ['proj', 'proj/celery.js', undefined],
    ['proj/', 'proj/celery.js', undefined],
    ['in', 'in/app.mts', undefined],
    ['proj.app', 'proj/app.ts', undefined],
    ['pkg.sub.jobs', 'pkg/sub/jobs.js', undefined],
    ['proj.celery:app', 'proj/celery.js', 'app'],
    ['tasks.ts:other', 'tasks.ts', 'other'],
  ])('%s is %s, export %s', (spec, file, exportName) => {
    expect(findAppModule(spec, folder)).toEqual({ file: join(folder, file), exportName })
  })

  test('an absolute path is taken as it is', () => {
    expect(findAppModule(join(folder, 'tasks.ts'), '/').file).toBe(join(folder, 'tasks.ts'))
  })

  test.each([
    ['web.js', 'web/celery.mjs'],
    ['site/index.ts', 'site/celery.ts'],
    ['site/celery.ts', undefined],
    ['tasks.ts', undefined],
  ])('below %s, which has no app, it may be in %s', (file, below) => {
    expect(findModuleBelow(join(folder, file))).toBe(below === undefined ? undefined : join(folder, below))
  })

  test('what is not there is refused, with where it was looked for', () => {
    expect(() => findAppModule('nothing', folder)).toThrow(UsageError)
    expect(() => findAppModule('nothing', folder)).toThrow(join(folder, 'nothing.mjs'))
    for (const spec of ['nothing', 'no/such/tasks.ts', 'plain.mjs/tasks.ts']) {
      expect(() => findAppModule(spec, folder)).toThrow('for example: -A ./tasks.ts')
    }
  })

  test.each([
    ['task.ts', 'tasks.ts'],
    ['./task.ts', 'tasks.ts'],
    ['task', 'tasks.ts'],
    ['./tasks.js', 'tasks.ts'],
    ['boths.js', 'both.js'],
    ['task.ts:other', 'tasks.ts:other'],
    ['proj/celry.js', 'proj/celery.js'],
    ['pkg.sub.job', 'pkg/sub/jobs.js'],
    ['../NAME/plian.mjs', '../NAME/plain.mjs'],
  ])('for %s, which is not there, it may have been %s', (spec, meant) => {
    const named = (path: string): string => path.replace('NAME', basename(folder))
    expect(() => findAppModule(named(spec), folder)).toThrow(`Did you mean -A ${named(meant)}?`)
  })
})
