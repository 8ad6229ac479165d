import { createServer, type Server } from 'node:http'
import type { Socket } from 'node:net'
import { answerHealth, type HealthSource } from './health-answer.ts'

const limits = { maxHeaderSize: 8_192, keepAlive: false } as const

const servers = new WeakMap<HealthSource, Map<boolean, Server>>()

/** Answers one request on `socket`, which is paused and has not been read from, and closes it. */
export function speakHealth(socket: Socket, source: HealthSource, isOwner: boolean): void {
  serverOf(source, isOwner).emit('connection', socket)
  socket.resume()
}

/** One for all connections of a kind. It does not listen by itself. */
function serverOf(source: HealthSource, isOwner: boolean): Server {
  const ofSource = servers.get(source) ?? new Map<boolean, Server>()
  servers.set(source, ofSource)
  const server = ofSource.get(isOwner) ?? createHttp(source, isOwner)
  ofSource.set(isOwner, server)
  return server
}

function createHttp(source: HealthSource, isOwner: boolean): Server {
  const server = createServer(limits, (request, response) => {
    void answerHealth(source, request, isOwner).then(({ body, status, type }) => {
      response.writeHead(status, {
        'content-type': type,
        'content-length': Buffer.byteLength(body),
        'cache-control': 'no-store',
        // Whatever else the request has is not read.
        connection: 'close',
        ...(status === 405 ? { allow: 'GET, HEAD' } : {}),
      })
      response.end(body)
    })
  })
  // Answered as any other: what it would go on with is not read.
  server.on('checkContinue', (request, response) => void server.emit('request', request, response))
  server.on('clientError', (_error, socket) => socket.destroy())
  return server
}
