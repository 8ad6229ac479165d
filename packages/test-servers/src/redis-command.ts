import { connect, type NetConnectOpts } from 'node:net'

/** What a Redis answers, in the plainest form. */
export type RedisReply = string | number | null | readonly RedisReply[]

/**
 * Sends commands to a Redis over a connection of their own and resolves to the reply of the last one. For setting up servers
 * and looking into them, without the client library that the tests are about.
 *
 * @throws Error with the text of the first reply that is an error, or if the connection ends before.
 */
export function sendRedisCommands(
  place: NetConnectOpts,
  commands: readonly (readonly string[])[],
  { timeoutMs = 30_000 }: { readonly timeoutMs?: number } = {},
): Promise<RedisReply> {
  return new Promise((resolve, reject) => {
    const socket = connect(place)
    let received: Buffer = Buffer.alloc(0)
    const replies: RedisReply[] = []
    const finish = (settle: () => void): void => {
      clearTimeout(timer)
      socket.destroy()
      settle()
    }
    const timer = setTimeout(() => finish(() => reject(new Error(`no reply within ${timeoutMs} ms`))), timeoutMs)
    socket.on('error', (error) => finish(() => reject(error)))
    socket.on('close', () => finish(() => reject(new Error('Redis closed the connection before it replied'))))
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      try {
        for (let next = decode(received, 0); next !== undefined; next = decode(received, 0)) {
          replies.push(next.value)
          received = received.subarray(next.end)
        }
      } catch (error) {
        finish(() => reject(error))
      }
      const last = replies[commands.length - 1]
      if (last !== undefined) finish(() => resolve(last))
    })
    socket.write(Buffer.concat(commands.map(encode)))
  })
}

function encode(command: readonly string[]): Buffer {
  const parts = command.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`)
  return Buffer.from(`*${command.length}\r\n${parts.join('')}`)
}

interface Decoded {
  readonly value: RedisReply
  readonly end: number
}

/** One reply of RESP2, or undefined where some of it is still to come. */
function decode(bytes: Buffer, start: number): Decoded | undefined {
  const lineEnd = bytes.indexOf('\r\n', start)
  if (lineEnd < 0) return undefined
  const line = bytes.toString('utf8', start + 1, lineEnd)
  const next = lineEnd + 2
  switch (String.fromCharCode(bytes[start] ?? 0)) {
    case '+':
      return { value: line, end: next }
    case '-':
      throw new Error(line)
    case ':':
      return { value: Number(line), end: next }
    case '$':
      return decodeBulk(bytes, next, Number(line))
    case '*':
      return decodeArray(bytes, next, Number(line))
    default:
      throw new Error('this is no reply of a Redis')
  }
}

function decodeBulk(bytes: Buffer, start: number, length: number): Decoded | undefined {
  if (length < 0) return { value: null, end: start }
  const end = start + length
  return bytes.length < end + 2 ? undefined : { value: bytes.toString('utf8', start, end), end: end + 2 }
}

function decodeArray(bytes: Buffer, start: number, count: number): Decoded | undefined {
  if (count < 0) return { value: null, end: start }
  const items: RedisReply[] = []
  let end = start
  for (let index = 0; index < count; index++) {
    const item = decode(bytes, end)
    if (item === undefined) return undefined
    items.push(item.value)
    end = item.end
  }
  return { value: items, end }
}
