import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Way } from './way.ts'

/** Answers each `ask X` with `answer X`. */
let server: Server
let way: Way
let asked: string[]
const sockets: Socket[] = []

beforeEach(async () => {
  asked = []
  server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      asked.push(String(chunk))
      socket.write(String(chunk).replace('ask', 'answer'))
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  way = await Way.open(() => (typeof address === 'object' && address !== null ? address.port : 0))
})

afterEach(async () => {
  await way[Symbol.asyncDispose]()
  for (const socket of sockets.splice(0)) socket.destroy()
  server.close()
})

/** A client, and how its connection ended. */
async function client(): Promise<{ socket: Socket; ended: Promise<string> }> {
  const socket = connect(way.port, '127.0.0.1')
  sockets.push(socket)
  const ended = new Promise<string>((resolve) => {
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'))
    socket.on('close', () => resolve('end'))
  })
  await once(socket, 'connect')
  return { socket, ended }
}

async function ask(socket: Socket, what: string): Promise<string> {
  socket.write(`ask ${what}`)
  const [answer] = (await once(socket, 'data')) as [Buffer]
  return String(answer)
}

test('passes on what is said, both ways', async () => {
  const { socket } = await client()
  expect(await ask(socket, 'a')).toBe('answer a')
  expect(way.connections).toBe(1)
})

test('holds everything while it is shut, and lets it pass after that', async () => {
  const { socket } = await client()
  await ask(socket, 'a')
  way.shut()
  const answer = ask(socket, 'b')
  expect(asked).toEqual(['ask a'])
  way.open()
  expect(await answer).toBe('answer b')
})

test('resets whoever connects while it is shut', async () => {
  way.shut()
  const socket = connect(way.port, '127.0.0.1')
  // Before or just after it is told that it is connected.
  const error = await new Promise<NodeJS.ErrnoException>((resolve) => socket.on('error', resolve))
  expect(error.code).toBe('ECONNRESET')
  expect(way.connections).toBe(0)
  way.open()
  const other = await client()
  expect(await ask(other.socket, 'a')).toBe('answer a')
})

test('ends all connections, or resets them', async () => {
  for (const [reset, how] of [
    [false, 'end'],
    [true, 'ECONNRESET'],
  ] as const) {
    const { socket, ended } = await client()
    await ask(socket, 'a')
    way.shut()
    way.drop(reset)
    expect(await ended).toBe(how)
    way.open()
  }
})

test('keeps the answer that it waits for to itself, though it was given, and can end just that connection', async () => {
  const one = await client()
  const other = await client()
  await Promise.all([ask(one.socket, 'a'), ask(other.socket, 'b')])
  const struck = way.strikeOn({ reply: 'answer x' }, 30_000)
  expect(await ask(one.socket, 'c')).toBe('answer c')
  const heard: string[] = []
  one.socket.on('data', (chunk) => heard.push(String(chunk)))
  one.socket.write('ask x')
  expect(await struck).toBe(true)
  expect(asked.at(-1)).toBe('ask x')
  way.dropStruck()
  way.open()
  expect(await one.ended).toBe('end')
  expect(heard).toEqual([])
  expect(await ask(other.socket, 'd')).toBe('answer d')
})

test('waits for the question, where that is what counts', async () => {
  const { socket, ended } = await client()
  const struck = way.strikeOn({ request: 'x' }, 30_000)
  expect(await ask(socket, 'a')).toBe('answer a')
  socket.write('ask x')
  expect(await struck).toBe(true)
  way.drop(false)
  expect(await ended).toBe('end')
})

test('gives up waiting', async () => {
  expect(await way.strikeOn({ reply: 'x' }, 1)).toBe(false)
  const { socket } = await client()
  expect(await ask(socket, 'x')).toBe('answer x')
})
