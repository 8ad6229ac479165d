import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { healthFolder, healthPath, isHealthPathOf, listHealthPaths } from './health-folder.ts'
import { HealthSocket, isListening } from './health-socket.ts'

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'celery-health-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function newServer(): Server {
  const server = createServer((socket) => socket.end())
  onTestFinished(() => void server.close())
  return server
}

/** A socket whose process was killed. */
function staleSocket(path: string): void {
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
  spawnSync(process.execPath, ['-e', script])
  expect(lstatSync(path).isSocket()).toBe(true)
}

describe.skipIf(process.platform === 'win32')('the socket of a worker', () => {
  test('O-2 is open to its own user alone, as is its folder, and is gone afterwards with all that was made for it', async () => {
    const folder = join(newFolder(), 'run')
    const socket = await HealthSocket.open(newServer(), { folder, node: 'celery@host' })
    expect(socket.path).toBe(join(folder, 'celery@host.sock'))
    expect(statSync(socket.path).mode & 0o777).toBe(0o600)
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    expect(readdirSync(folder)).toEqual(['celery@host.sock'])
    expect(await isListening(socket.path)).toBe(true)
    await socket.remove()
    await socket.remove()
    expect(readdirSync(folder)).toEqual([])
  })

  test('looks new again when it is touched, and what has its name by now does not', async () => {
    const folder = newFolder()
    const [one, other] = [newServer(), newServer()]
    const first = await HealthSocket.open(one, { folder, node: 'celery@host' })
    const second = await HealthSocket.open(other, { folder, node: 'celery@host' })
    for (const { path } of [first, second]) utimesSync(path, 1, 1)
    await first.touch()
    expect(Date.now() - statSync(first.path).mtimeMs).toBeLessThan(60_000)
    expect(statSync(second.path).mtimeMs).toBe(1_000)
    await first.remove()
    await first.touch()
    expect(readdirSync(folder)).toEqual(['celery@host~2.sock'])
  })

  test('takes the place of one that a dead worker left', async () => {
    const folder = newFolder()
    const path = join(folder, 'celery@host.sock')
    staleSocket(path)
    expect(await isListening(path)).toBe(false)
    const socket = await HealthSocket.open(newServer(), { folder, node: 'celery@host' })
    expect(socket.path).toBe(path)
    expect(await isListening(path)).toBe(true)
    expect(readdirSync(folder)).toEqual(['celery@host.sock'])
  })

  test('leaves that of a living worker alone, and has another name beside it', async () => {
    const folder = newFolder()
    const place = { folder, node: 'celery@host' }
    const sockets = await Promise.all([1, 2, 3].map(() => HealthSocket.open(newServer(), place)))
    const paths = sockets.map(({ path }) => path)
    expect(paths.sort()).toEqual(
      ['celery@host.sock', 'celery@host~2.sock', 'celery@host~3.sock'].map((name) => join(folder, name)),
    )
    for (const path of paths) {
      expect(await isListening(path)).toBe(true)
      expect(isHealthPathOf(path, folder, 'celery@host')).toBe(true)
    }
    expect(isHealthPathOf(join(folder, 'celery@host.sock'), folder, 'celery@hos')).toBe(false)
  })

  test('of many that find the same stale socket at the same time none takes that of another', async () => {
    const folder = newFolder()
    staleSocket(join(folder, 'celery@host.sock'))
    const place = { folder, node: 'celery@host' }
    const sockets = await Promise.all(Array.from({ length: 10 }, () => HealthSocket.open(newServer(), place)))
    const paths = listHealthPaths(folder)
    expect(readdirSync(folder)).toHaveLength(10)
    for (const path of paths) expect(await isListening(path)).toBe(true)
    expect(new Set(paths.map((path) => lstatSync(path).ino)).size).toBe(10)
    for (const socket of sockets) await socket.remove()
    expect(readdirSync(folder)).toEqual([])
  })

  test('one that has been replaced is not removed by whoever had it before', async () => {
    const folder = newFolder()
    const socket = await HealthSocket.open(newServer(), { folder, node: 'celery@host' })
    rmSync(socket.path)
    writeFileSync(socket.path, 'of somebody else')
    await socket.remove()
    expect(existsSync(socket.path)).toBe(true)
  })

  test('O-2 is not made through a link, and nothing else is replaced', async () => {
    const folder = newFolder()
    const target = join(newFolder(), 'target')
    symlinkSync(target, join(folder, 'celery@host.sock'))
    writeFileSync(join(folder, 'celery@host~2.sock'), 'precious')
    const socket = await HealthSocket.open(newServer(), { folder, node: 'celery@host' })
    expect(socket.path).toBe(join(folder, 'celery@host~3.sock'))
    expect(existsSync(target)).toBe(false)
    expect(lstatSync(join(folder, 'celery@host.sock')).isSymbolicLink()).toBe(true)
  })

  test('is refused in a folder where others could put something, or that is a link, with what to do', async () => {
    const open = (folder: string) => HealthSocket.open(newServer(), { folder, node: 'celery@host' })
    const shared = newFolder()
    chmodSync(shared, 0o777)
    await expect(open(shared)).rejects.toThrow('others can write to it; take that right away with chmod 700')
    expect(() => listHealthPaths(shared)).toThrow('CELERY_RUNTIME_DIR')
    const linked = join(newFolder(), 'linked')
    symlinkSync(newFolder(), linked)
    await expect(open(linked)).rejects.toMatchObject({ code: 'ERR_CELERY_HEALTH_ADDRESS', address: linked })
    const file = join(newFolder(), 'file')
    writeFileSync(file, '')
    await expect(open(file)).rejects.toThrow(file)
  })

  test('has a short name where the node has a long one, and is told when even that does not fit', async () => {
    const folder = newFolder()
    const node = `${'long'.repeat(40)}@host`
    const socket = await HealthSocket.open(newServer(), { folder, node })
    expect(socket.path).toMatch(/\/[0-9a-f]{32}\.sock$/)
    expect(isHealthPathOf(socket.path, folder, node)).toBe(true)
    expect(listHealthPaths(folder)).toEqual([socket.path])
    const deep = join(folder, 'd'.repeat(90))
    mkdirSync(deep, { mode: 0o700 })
    expect(() => healthPath(deep, node)).toThrow('more than 103 bytes; name a folder of your own in CELERY_RUNTIME_DIR')
  })
})

test('without a folder there are no workers', () => {
  expect(listHealthPaths(join(newFolder(), 'none'))).toEqual([])
})

test('the folder is that of CELERY_RUNTIME_DIR, else one for each user', () => {
  expect(healthFolder({ CELERY_RUNTIME_DIR: '/run/shop' })).toBe('/run/shop')
  expect(healthFolder({ CELERY_RUNTIME_DIR: '', XDG_RUNTIME_DIR: '/run/user/7' })).toMatch(/celery-(\d+|user)$/)
})

test('a server that cannot listen is told', async () => {
  const server = newServer()
  server.listen(0)
  await once(server, 'listening')
  await expect(HealthSocket.open(server, { folder: newFolder(), node: 'celery@host' })).rejects.toMatchObject({
    code: 'ERR_CELERY_HEALTH_ADDRESS',
  })
})
