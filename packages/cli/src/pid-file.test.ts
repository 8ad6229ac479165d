import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { PidFile } from './pid-file.ts'

let path: string

beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), 'celery-pid-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  path = join(folder, 'worker.pid')
})

async function deadProcess(): Promise<number> {
  const child = spawn(process.execPath, ['-e', ''])
  await once(child, 'exit')
  return child.pid as number
}

test('O-2 holds the process id, can be read by all and written by its owner only, and is gone afterwards', () => {
  {
    using _file = new PidFile(path)
    expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`)
    expect(statSync(path).mode & 0o133).toBe(0)
  }
  expect(existsSync(path)).toBe(false)
})

test('WORK-007 is refused while the process that it names runs', () => {
  writeFileSync(path, `${process.ppid}\n`)
  expect(() => new PidFile(path)).toThrow(`process ${process.ppid} runs already`)
  expect(readFileSync(path, 'utf8')).toBe(`${process.ppid}\n`)
})

test('O-3 of a process that has ended is replaced', async () => {
  writeFileSync(path, `${await deadProcess()}\n`)
  using _file = new PidFile(path)
  expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`)
})

test('O-3 of this very process, as after the start of a container, is replaced', () => {
  writeFileSync(path, `${process.pid}\n`)
  using _file = new PidFile(path)
  expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`)
})

test.runIf(process.platform === 'linux')(
  'O-3 older than the process with its number, as after a new boot, is replaced',
  () => {
    writeFileSync(path, `${process.ppid}\n`)
    utimesSync(path, new Date(0), new Date(0))
    using _file = new PidFile(path)
    expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`)
  },
)

test.each(['', 'abc', '-1', '0', '12 13'])('that holds %j is left alone', (content) => {
  writeFileSync(path, content)
  expect(() => new PidFile(path)).toThrow('holds no process id')
  expect(readFileSync(path, 'utf8')).toBe(content)
})

test('O-2 is not written through a link', () => {
  const target = `${path}.target`
  symlinkSync(target, path)
  expect(() => new PidFile(path)).toThrow(expect.objectContaining({ code: 'ERR_CELERY_PID_FILE' }))
  expect(existsSync(target)).toBe(false)
})

test('F-51 in a folder that is not there says so', () => {
  const missing = join(path, 'worker.pid')
  expect(() => new PidFile(missing)).toThrow(/cannot use the pid file .*ENOENT/)
})

test('that somebody else has taken meanwhile is not removed', () => {
  const file = new PidFile(path)
  writeFileSync(path, '1\n')
  file[Symbol.dispose]()
  expect(readFileSync(path, 'utf8')).toBe('1\n')
})
