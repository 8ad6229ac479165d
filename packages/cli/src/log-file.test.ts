import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { LogFile } from './log-file.ts'

function setUp(path?: string) {
  const folder = mkdtempSync(join(tmpdir(), 'celery-log-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  let now = 0
  const complaints: string[] = []
  const file = path ?? join(folder, 'worker.log')
  const open = () => new LogFile(file, { now: () => now, complain: (message) => complaints.push(message) })
  const pass = (ms: number): void => {
    now += ms
  }
  return { complaints, file, open, pass }
}

test('O-2 appends to what is there, and only its owner can write to it', () => {
  const { file, open } = setUp()
  for (const line of ['one\n', 'two\n']) {
    using log = open()
    log.write(line)
  }
  expect(readFileSync(file, 'utf8')).toBe('one\ntwo\n')
  expect(statSync(file).mode & 0o133).toBe(0)
})

test('WORK-027 makes a new file when the old one was moved away', () => {
  const { file, open, pass } = setUp()
  using log = open()
  log.write('before\n')
  renameSync(file, `${file}.1`)
  log.write('meanwhile\n')
  expect(existsSync(file)).toBe(false)
  pass(1_000)
  log.write('after\n')
  expect(readFileSync(`${file}.1`, 'utf8')).toBe('before\nmeanwhile\n')
  expect(readFileSync(file, 'utf8')).toBe('after\n')
})

test.runIf(existsSync('/dev/full'))('F-51 a full disk is said once, and harms nobody', () => {
  const { complaints, open } = setUp('/dev/full')
  using log = open()
  for (const line of ['one\n', 'two\n', 'three\n']) log.write(line)
  expect(complaints).toEqual([expect.stringMatching(/cannot write to the log file \/dev\/full: ENOSPC/)])
})

test('F-51 a file that cannot be opened says so', () => {
  const { open } = setUp('/nowhere/at/all.log')
  expect(open).toThrow(/cannot open the log file \/nowhere\/at\/all\.log: ENOENT/)
})
