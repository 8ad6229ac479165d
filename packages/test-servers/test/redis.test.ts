import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { isMissing, type RedisServer, startRedis } from '../src/index.ts'

/** Sends one inline command and resolves to the reply, with its end of line. */
async function ask(redis: RedisServer, command: string): Promise<string> {
  const socket = connect(redis.port, redis.host).setEncoding('utf8')
  try {
    socket.write(`${command}\r\n`)
    const [reply] = (await once(socket, 'data')) as [string]
    return reply
  } finally {
    socket.destroy()
  }
}

describe.skipIf(isMissing('redis'))('a private Redis', () => {
  test('answers at its address and is gone after it is disposed', async () => {
    let folder: string
    let redis: RedisServer
    {
      await using server = await startRedis()
      redis = server
      expect(server.url).toBe(`redis://127.0.0.1:${server.port}/0`)
      expect(await ask(server, 'PING')).toBe('+PONG\r\n')
      const reply = await ask(server, 'CONFIG GET dir')
      folder = /\S*celery-redis-\S*/.exec(reply)?.[0] ?? ''
      expect(existsSync(folder)).toBe(true)
    }
    await expect(ask(redis, 'PING')).rejects.toThrow('ECONNREFUSED')
    expect(existsSync(folder)).toBe(false)
    await redis.close()
  })

  test('comes back at the same address after a crash, with its data if it is append-only', async () => {
    await using redis = await startRedis({ appendOnly: true })
    await using forgetful = await startRedis()
    for (const server of [redis, forgetful]) {
      await ask(server, 'SET key value')
      const { pid } = server
      await server.kill()
      await expect(ask(server, 'PING')).rejects.toThrow('ECONNREFUSED')
      await server.restart()
      expect(server.pid).not.toBe(pid)
    }
    expect(await ask(redis, 'GET key')).toBe('$5\r\nvalue\r\n')
    expect(await ask(forgetful, 'GET key')).toBe('$-1\r\n')
  })

  test('answers nothing while it is paused', async () => {
    await using redis = await startRedis()
    await using other = await startRedis()
    redis.pause()
    let answered = false
    const reply = ask(redis, 'PING').finally(() => {
      answered = true
    })
    // Time enough for an answer, measured in answers of a server that is not paused.
    for (let i = 0; i < 50; i++) await ask(other, 'PING')
    expect(answered).toBe(false)
    redis.resume()
    expect(await reply).toBe('+PONG\r\n')
  })

  test('asks for its password', async () => {
    await using redis = await startRedis({ password: 'a b' })
    expect(redis.url).toBe(`redis://:a%20b@127.0.0.1:${redis.port}/0`)
    expect(await ask(redis, 'PING')).toContain('NOAUTH')
    expect(await ask(redis, 'AUTH "a b"')).toBe('+OK\r\n')
  })

  test('runs commands for the tests that look into it', async () => {
    await using redis = await startRedis({ password: 'a b' })
    expect(await redis.send('RPUSH', 'list', 'ä', '2')).toBe(2)
    expect(await redis.send('LRANGE', 'list', '0', '-1')).toEqual(['ä', '2'])
    expect(await redis.send('GET', 'absent')).toBeNull()
    await expect(redis.send('GET', 'list')).rejects.toThrow('WRONGTYPE')
  })

  test('knows the users it was given', async () => {
    await using redis = await startRedis({ acl: ['alice on >secret ~queue* +lpush'] })
    expect(await redis.send('ACL', 'GETUSER', 'alice')).toEqual(expect.arrayContaining(['~queue*']))
  })

  test('listens on a socket in the file system', async () => {
    await using redis = await startRedis({ unixSocket: true })
    const socket = connect(redis.socketPath ?? '').setEncoding('utf8')
    socket.write('PING\r\n')
    expect(await once(socket, 'data')).toEqual(['+PONG\r\n'])
    socket.destroy()
  })

  test('says why it does not start', async () => {
    await expect(startRedis({ args: ['--maxmemory', 'plenty'] })).rejects.toThrow('argument must be a memory value')
  })

  test('starts beside many others', async () => {
    const servers = await Promise.all(Array.from({ length: 8 }, () => startRedis()))
    for (const server of servers) await server.close()
    expect(new Set(servers.map((server) => server.port)).size).toBe(8)
  })
})

describe.skipIf(isMissing('redis', 'openssl'))('a private Redis with TLS', () => {
  test('shows a certificate of its authority, for its address and no name', async () => {
    await using redis = await startRedis({ tls: true })
    const { url, port, certificates } = redis.tls ?? expect.fail('it has no TLS')
    expect(url).toBe(`rediss://127.0.0.1:${port}/0`)
    const open = async (host: string, authority: string): Promise<string> => {
      const socket = connectTls({ host, port, ca: await readFile(authority) }).setEncoding('utf8')
      try {
        await once(socket, 'secureConnect')
        socket.write('PING\r\n')
        const [reply] = (await once(socket, 'data')) as [string]
        return reply
      } finally {
        socket.destroy()
      }
    }
    expect(await open('127.0.0.1', certificates.authority)).toBe('+PONG\r\n')
    await expect(open('127.0.0.1', certificates.otherAuthority)).rejects.toThrow('certificate')
    await expect(open('localhost', certificates.authority)).rejects.toThrow('altnames')
  })
})
