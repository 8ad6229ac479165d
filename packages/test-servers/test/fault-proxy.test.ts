import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type FaultProxy, isMissing, SYSTEM_PYTHON, startFaultProxy, startRedis } from '../src/index.ts'

/** A server that answers every piece with the same bytes, and remembers what it got. */
let server: Server
let proxy: FaultProxy
let received = ''
const sockets = new Set<Socket>()

beforeEach(async () => {
  received = ''
  server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      received += chunk
      socket.write(chunk)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  proxy = await startFaultProxy({ port: (server.address() as AddressInfo).port })
})

afterEach(async () => {
  await proxy.close()
  for (const socket of sockets) socket.destroy()
  sockets.clear()
  server.close()
})

/** A client of the proxy that collects what it gets. */
async function open(): Promise<{
  socket: Socket
  got: () => string
  until(text: string): Promise<void>
  ended: Promise<string>
}> {
  const socket = connect(proxy.port, proxy.host).setEncoding('utf8').setNoDelay(true)
  let text = ''
  let code = 'none'
  socket.on('data', (chunk) => {
    text += chunk
  })
  socket.on('error', (error: NodeJS.ErrnoException) => {
    code = error.code ?? ''
  })
  const ended = new Promise<string>((resolve) => socket.on('close', () => resolve(code)))
  await once(socket, 'connect')
  const until = async (expected: string): Promise<void> => {
    while (!text.includes(expected)) {
      const outcome = await Promise.race([once(socket, 'data'), ended])
      if (typeof outcome === 'string' && !text.includes(expected)) throw new Error(`ended (${outcome}) with ${text}`)
    }
  }
  return { socket, got: () => text, until, ended }
}

/** The proxy has no event for what it swallows. */
async function untilLost(bytes: number): Promise<void> {
  while (proxy.lostBytes < bytes) await delay(1)
}

describe('a fault proxy', () => {
  test('forwards both ways, any bytes, and counts', async () => {
    const client = await open()
    const text = 'x'.repeat(1_000_000)
    client.socket.write(`${text}end`)
    await client.until('end')
    expect(client.got()).toBe(`${text}end`)
    expect([proxy.connections, proxy.accepted]).toEqual([1, 1])
    client.socket.end()
    expect(await client.ended).toBe('none')
  })

  test('ends a connection as either end does', async () => {
    const client = await open()
    client.socket.write('one')
    await client.until('one')
    for (const socket of sockets) socket.end('last')
    expect(await client.ended).toBe('none')
    expect(client.got()).toBe('onelast')
  })

  test('delays what passes, in its order', async () => {
    proxy.latency(60, 40)
    const client = await open()
    const start = performance.now()
    for (let index = 0; index < 10; index++) client.socket.write(`${index};`)
    await client.until('9;')
    // Twice the least delay; the clock of the timers may be one millisecond off.
    expect(performance.now() - start).toBeGreaterThan(2 * 20 - 2)
    expect(client.got()).toBe('0;1;2;3;4;5;6;7;8;9;')
  })

  test('takes its time for a narrow line', async () => {
    proxy.bandwidth(100_000)
    const client = await open()
    const start = performance.now()
    client.socket.write(`${'x'.repeat(20_000)}end`)
    await client.until('end')
    // Both directions carry the 200 ms at the same time, but for the first piece.
    expect(performance.now() - start).toBeGreaterThan(190)
  })

  test('cuts the stream into slices', async () => {
    proxy.slice(1)
    const client = await open()
    const pieces: string[] = []
    client.socket.on('data', (chunk: string) => pieces.push(chunk))
    client.socket.write('sliced')
    await client.until('sliced')
    expect(pieces.length).toBeGreaterThan(1)
  })

  test('swallows replies and says nothing, and resets what lost bytes when it is restored', async () => {
    const client = await open()
    client.socket.write('heard')
    await client.until('heard')
    proxy.swallow('toClient')
    client.socket.write('done')
    await untilLost(4)
    // The server ends the connection; nobody hears of that either.
    for (const socket of sockets) socket.end()
    const other = await open()
    other.socket.write('lost')
    await untilLost(8)
    expect(received).toBe('hearddonelost')
    expect([client.got(), other.got()]).toEqual(['heard', ''])
    expect([client.socket.destroyed, other.socket.destroyed]).toEqual([false, false])
    await proxy.restore()
    expect([await client.ended, await other.ended]).toEqual(['ECONNRESET', 'ECONNRESET'])
    const next = await open()
    next.socket.write('again')
    await next.until('again')
  })

  test('swallows requests', async () => {
    const client = await open()
    client.socket.write('heard')
    await client.until('heard')
    proxy.swallow()
    client.socket.write('lost')
    await untilLost(4)
    proxy.cut()
    await client.ended
    expect(received).toBe('heard')
  })

  test('swallows what is open, for good, and lets what is new through', async () => {
    const old = await open()
    old.socket.write('heard')
    await old.until('heard')
    proxy.swallowOpen()
    old.socket.write('lost')
    await untilLost(4)
    const next = await open()
    next.socket.write('new')
    await next.until('new')
    await proxy.restore()
    old.socket.write('gone')
    await untilLost(8)
    expect(received).toBe('heardnew')
    expect([old.got(), old.socket.destroyed]).toEqual(['heard', false])
  })

  test('resets after so many bytes', async () => {
    const client = await open()
    const happened = proxy.resetAfter('toServer', 5)
    client.socket.write('123456789')
    expect(await client.ended).toBe('ECONNRESET')
    await happened
    expect('12345'.startsWith(received)).toBe(true)
    const next = await open()
    next.socket.write('123456789')
    await next.until('123456789')
  })

  test('cuts on a reply, also where the pattern is in two pieces, and forwards nothing of it', async () => {
    proxy.slice(3)
    const happened = proxy.cutOnReply(/se?cret/)
    const client = await open()
    client.socket.write('before ')
    await client.until('before ')
    client.socket.write('the secret and more')
    expect(await client.ended).toBe('ECONNRESET')
    await happened
    expect(received).toContain('the secret')
    expect(client.got()).not.toContain('secret')
  })

  test('lets a request be done and cuts the reply to it', async () => {
    const client = await open()
    const happened = proxy.cutReplyTo('LPUSH')
    client.socket.write('PING')
    await client.until('PING')
    client.socket.write('LPUSH')
    expect(await client.ended).toBe('ECONNRESET')
    await happened
    expect([received, client.got()]).toEqual(['PINGLPUSH', 'PING'])
  })

  test('refuses new connections until it is restored, and leaves the open ones', async () => {
    const client = await open()
    await proxy.refuse()
    await expect(open()).rejects.toThrow('ECONNREFUSED')
    client.socket.write('still here')
    await client.until('still here')
    await proxy.restore()
    await open()
  })

  test('cuts all connections at once', async () => {
    const clients = [await open(), await open()]
    proxy.cut()
    expect(await Promise.all(clients.map(({ ended }) => ended))).toEqual(['ECONNRESET', 'ECONNRESET'])
    expect(proxy.connections).toBe(0)
  })

  test('resets a connection whose server is not there', async () => {
    await using lonely = await startFaultProxy({ port: 1 })
    const socket = connect(lonely.port, lonely.host)
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException]
    expect(error.code).toBe('ECONNRESET')
  })
})

describe.skipIf(isMissing('redis', 'python-celery'))('in front of a Redis', () => {
  test('serves a client in Python, over a socket in the file system too', async () => {
    await using redis = await startRedis({ unixSocket: true, password: 'pw' })
    await using front = await startFaultProxy({ path: redis.socketPath ?? '' })
    const url = front.url(redis.url)
    expect(url).toBe(`redis://:pw@127.0.0.1:${front.port}/0`)
    const script = 'import redis, sys; r = redis.from_url(sys.argv[1]); r.set("k", "v"); print(r.get("k").decode())'
    const { stdout } = await promisify(execFile)(SYSTEM_PYTHON, ['-c', script, url])
    expect(stdout).toBe('v\n')
    const happened = front.cutReplyTo('INCR')
    const increment = 'import redis, sys; redis.from_url(sys.argv[1]).incr("n")'
    await expect(promisify(execFile)(SYSTEM_PYTHON, ['-c', increment, url])).rejects.toThrow('ConnectionError')
    await happened
    expect(await redis.send('GET', 'n')).toBe('1')
  })
})
