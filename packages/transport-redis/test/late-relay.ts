import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { RedisServer } from '@celery/test-servers'

/** A relay for one connection, whose commands can arrive after the connection of the client is gone. */
export interface LateRelay extends AsyncDisposable {
  readonly url: string
  /** What the client has sent since `hold`. */
  readonly held: string
  /** From now on nothing is forwarded to the server. */
  hold(): void
  /** Cuts the connection of the client; that to the server stays. */
  cut(): void
  /** Forwards what was held, and resolves to what the server answers. */
  release(): Promise<string>
}

export async function startLateRelay(server: RedisServer): Promise<LateRelay> {
  const held: Buffer[] = []
  let isHolding = false
  let client: Socket | undefined
  const { hostname, port } = new URL(server.url)
  const upstream = connect(Number(port), hostname)
  const relay = createServer((socket) => {
    client = socket
    socket.on('error', () => {})
    socket.on('data', (chunk) => (isHolding ? held.push(chunk) : upstream.write(chunk)))
  })
  upstream.on('data', (chunk) => client?.write(chunk))
  relay.listen(0, '127.0.0.1')
  await Promise.all([once(relay, 'listening'), once(upstream, 'connect')])
  const url = new URL(server.url)
  url.port = String((relay.address() as AddressInfo).port)
  return {
    url: url.href,
    get held() {
      return Buffer.concat(held).toString('latin1')
    },
    hold() {
      isHolding = true
    },
    cut() {
      client?.resetAndDestroy()
      client = undefined
    },
    async release() {
      let answer = ''
      upstream.write(Buffer.concat([...held, Buffer.from('PING\r\n')]))
      while (!answer.includes('PONG')) answer += String((await once(upstream, 'data'))[0])
      return answer
    },
    async [Symbol.asyncDispose]() {
      client?.destroy()
      upstream.destroy()
      relay.close()
    },
  }
}
