import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'

test('a module that starts a worker cannot be what pool processes import: it says so instead of starting ever more', () => {
  const folder = mkdtempSync(join(tmpdir(), 'celery-starts-itself-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const program = fileURLToPath(new URL('./fixtures/starts-itself.mjs', import.meta.url))
  const { status, stderr } = spawnSync(process.execPath, [program, `sqlite:///${join(folder, 'queue.db')}`], {
    encoding: 'utf8',
    timeout: 60_000,
  })
  expect(stderr).toContain('a pool process cannot start a worker: name a module that only creates the app')
  expect(status).toBe(1)
})
