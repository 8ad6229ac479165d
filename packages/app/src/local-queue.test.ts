import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseBrokerUrl } from '@celery/transport'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { localQueueUrl, projectRoot } from './local-queue.ts'
import { NoBrokerError } from './setup-errors.ts'

let folder: string

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'celery-local-')))
  mkdirSync(join(folder, 'project', 'src', 'deep'), { recursive: true })
  writeFileSync(join(folder, 'project', 'package.json'), '{}')
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** The file that a driver opens for the URL. */
function fileOf(url: string): string {
  const { scheme, path } = parseBrokerUrl(url)
  expect(scheme).toBe('sqlite')
  return path
}

describe('the embedded broker', () => {
  test('lies beside the nearest package.json, from wherever below it one asks', () => {
    const expected = join(folder, 'project', '.celery', 'queue.db')
    expect(fileOf(localQueueUrl(join(folder, 'project'), {}))).toBe(expected)
    expect(fileOf(localQueueUrl(join(folder, 'project', 'src', 'deep'), {}))).toBe(expected)
  })

  test('of a package inside of a project is that of the package', () => {
    writeFileSync(join(folder, 'project', 'src', 'package.json'), '{}')
    expect(projectRoot(join(folder, 'project', 'src', 'deep'))).toBe(join(folder, 'project', 'src'))
  })

  test('lies where one asks if there is no package.json above', () => {
    // Unless somebody has one in the temporary folder or above, and then that one is right.
    const root = projectRoot(folder)
    expect(folder.startsWith(root)).toBe(true)
  })

  test('lies where CELERY_LOCAL says, read from where one asks', () => {
    const from = join(folder, 'project')
    expect(fileOf(localQueueUrl(from, { CELERY_LOCAL: '/srv/q.db' }))).toBe('/srv/q.db')
    expect(fileOf(localQueueUrl(from, { CELERY_LOCAL: 'data/q.db' }))).toBe(join(from, 'data', 'q.db'))
    expect(fileOf(localQueueUrl(from, { CELERY_LOCAL: '' }))).toBe(join(from, '.celery', 'queue.db'))
  })

  test.each(['with space', 'per%20cent', 'quest?ion', 'ha#sh', 'semi;colon', 'ünï', 'a&b=c', '%2F', '@at:colon'])(
    'lies in the folder "%s"',
    (name) => {
      const path = join(folder, name, 'q.db')
      expect(fileOf(localQueueUrl(folder, { CELERY_LOCAL: path }))).toBe(path)
    },
  )

  test('is refused in production, unless CELERY_LOCAL asks for it', () => {
    const from = join(folder, 'project')
    expect(() => localQueueUrl(from, { NODE_ENV: 'production' })).toThrow(NoBrokerError)
    expect(() => localQueueUrl(from, { NODE_ENV: 'production', CELERY_LOCAL: '' })).toThrow(NoBrokerError)
    expect(fileOf(localQueueUrl(from, { NODE_ENV: 'production', CELERY_LOCAL: '/srv/q.db' }))).toBe('/srv/q.db')
    expect(fileOf(localQueueUrl(from, { NODE_ENV: 'test' }))).toContain('.celery')
  })
})
