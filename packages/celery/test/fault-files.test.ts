import { execFileSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Scene } from './scene.ts'

/** Several workers are started one after the other, on a machine that may be busy. */
const longMs = 120_000

/** A folder that is a file system of one megabyte of its own; `isMounted` where this user may mount one. */
function smallFileSystem(options = ''): { readonly folder: string; readonly isMounted: boolean } {
  const folder = mkdtempSync(join(tmpdir(), 'celery-small-'))
  onTestFinished(() => rmdirSync(folder))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=1m${options}`, 'tmpfs', folder], { stdio: 'ignore' })
  } catch {
    return { folder, isMounted: false }
  }
  onTestFinished(() => {
    execFileSync('umount', ['-l', folder])
  })
  return { folder, isMounted: true }
}

/** Writes until nothing more fits. */
function fill(file: string): void {
  const fd = openSync(file, 'w')
  try {
    for (;;) writeSync(fd, Buffer.alloc(65_536))
  } catch (error) {
    expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC')
  } finally {
    closeSync(fd)
  }
}

test(
  'F-51 a log on a disk that is full: said once, tasks go on, and what was there stays',
  async () => {
    await using scene = new Scene()
    const { folder, isMounted } = smallFileSystem()
    const log = isMounted ? join(folder, 'worker.log') : '/dev/full'
    if (isMounted) {
      writeFileSync(log, 'the old log\n')
      fill(join(folder, 'ballast'))
      // What is left of the log's own page.
      fill(log.replace('worker', 'other'))
    }
    const worker = scene.spawnWorker('-c', '1', '--logfile', log)
    for (let n = 0; n < 20; n++) {
      const argument = 'x'.repeat(1_000)
      expect(await scene.outcome(await scene.send('fail', argument))).toMatch(/^FAILURE TypeError/)
    }
    await worker.untilLogged('cannot write to the log file')
    expect(worker.log.match(/cannot write to the log file/g)).toHaveLength(1)
    if (isMounted) expect(readFileSync(log, 'utf8')).toMatch(/^the old log\n/)
    expect(await worker.stop()).toBe(0)
  },
  longMs,
)

test.each(['prefork', 'async'])(
  'F-51 a standard error that takes nothing more, as its disk is full: tasks go on, and what they log is lost: %s',
  async (pool) => {
    const full = openSync('/dev/full', 'w')
    onTestFinished(() => closeSync(full))
    await using scene = new Scene({ module: 'logs.mjs', stderr: full })
    const worker = scene.spawnWorker('-c', '1', '-P', pool)
    const pid = await scene.value(await scene.send('say', 'first'))
    expect(await scene.value(await scene.send('say', 'second'))).toBe(pid)
    expect(await worker.stop()).toBe(0)
  },
  longMs,
)

test(
  'F-51 a pid file that cannot be written: the worker says so and does not start, and leaves no half of one',
  async () => {
    await using scene = new Scene()
    const { folder, isMounted: isFull } = smallFileSystem()
    if (isFull) fill(join(folder, 'ballast'))
    // Nobody makes files in the first, whoever it is.
    for (const file of ['/proc/self/task/worker.pid', ...(isFull ? [join(folder, 'worker.pid')] : [])]) {
      const worker = scene.spawnWorker('-c', '1', '--pidfile', file)
      expect(await worker.exit()).not.toBe(0)
      expect(worker.log).toMatch(/cannot use the pid file .*(ENOSPC|ENOENT|EACCES|EPERM)/)
      expect(existsSync(file)).toBe(false)
    }
  },
  longMs,
)

test(
  'F-51 a read-only folder: neither file can be made, and the worker says which',
  async () => {
    await using scene = new Scene()
    const { folder, isMounted: isReadOnly } = smallFileSystem(',ro')
    const readOnly = isReadOnly ? folder : '/proc/self/task'
    for (const [option, what] of [
      ['--logfile', 'log file'],
      ['--pidfile', 'pid file'],
    ] as const) {
      const worker = scene.spawnWorker('-c', '1', option, join(readOnly, 'worker.file'))
      expect(await worker.exit()).not.toBe(0)
      expect(worker.log).toContain(what)
      expect(worker.log).toMatch(isReadOnly ? /EROFS/ : /ENOENT|EACCES|EPERM/)
    }
  },
  longMs,
)

test(
  'H-30 a worker whose name is a path is refused, and makes no file anywhere',
  async () => {
    await using scene = new Scene()
    const folder = join(scene.folder, 'run')
    mkdirSync(folder)
    for (const name of ['../../x', 'a/b', '..', '.@box', 'x@../y']) {
      const files = ['--pidfile', join(folder, '%n.pid'), '--logfile', join(folder, '%p', 'log')]
      const worker = scene.spawnWorker('-c', '1', '-n', name, ...files)
      expect(await worker.exit()).not.toBe(0)
      expect(worker.log).toMatch(/cannot be the name of a worker/)
      expect(worker.log.trim().split('\n')).toHaveLength(1)
    }
    expect(readdirSync(folder)).toEqual([])
    expect(existsSync(join(scene.folder, 'x.pid'))).toBe(false)
  },
  longMs,
)

test(
  'H-30 O-2 neither file is written through a link, and nobody else can write to them',
  async () => {
    await using scene = new Scene()
    const target = join(scene.folder, 'target')
    writeFileSync(target, 'of somebody else')
    for (const option of ['--logfile', '--pidfile']) {
      const link = join(scene.folder, `link${option}`)
      symlinkSync(option === '--pidfile' ? `${target}-missing` : target, link)
      const worker = scene.spawnWorker('-c', '1', option, link)
      expect(await worker.exit()).not.toBe(0)
      expect(worker.log).toContain(link)
    }
    expect(readFileSync(target, 'utf8')).toBe('of somebody else')
    expect(existsSync(`${target}-missing`)).toBe(false)

    const files = { pidfile: join(scene.folder, '%n.pid'), logfile: join(scene.folder, '%n.log') }
    const worker = scene.spawnWorker('-c', '1', '-n', 'w1', '--pidfile', files.pidfile, '--logfile', files.logfile)
    expect(await scene.value(await scene.send('add', 1, 2))).toBe(3)
    for (const file of ['w1.pid', 'w1.log']) expect(statSync(join(scene.folder, file)).mode & 0o133).toBe(0)
    expect(await worker.stop()).toBe(0)
    expect(existsSync(join(scene.folder, 'w1.pid'))).toBe(false)
  },
  longMs,
)
