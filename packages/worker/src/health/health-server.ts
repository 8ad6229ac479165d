import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { HealthAddressError } from './health-address-error.ts'
import type { HealthSource } from './health-answer.ts'
import { type HealthPlace, HealthSocket } from './health-socket.ts'

/** Where it listens; of each `undefined` where it does not. */
export interface Listening {
  readonly url: string | undefined
  readonly path: string | undefined
  /** Why there is no socket, though there should be one. */
  readonly problem?: string | undefined
}

export interface HealthServerOptions {
  readonly source: HealthSource
  /** Where its own socket is to be; `undefined` for none. */
  readonly place: HealthPlace | undefined
  /** Port of HTTP; 0 is any that is free, `undefined` is none. */
  readonly port: number | undefined
  /** Address that the port is bound to. */
  readonly host: string
}

/** Milliseconds that a connection may last, whatever comes of it. */
const connectionMs = 15_000

/** Milliseconds after which its own socket is touched: systems that tidy up /tmp remove what is ten days old. */
const touchMs = 12 * 60 * 60 * 1_000

/** Connections at the same time, for each server. */
const mostConnections = 32

/** Answers how the worker is: on a socket that only its own user can open, and on a port where one is wanted. */
export class HealthServer {
  readonly #options: HealthServerOptions
  readonly #servers: Server[] = []
  readonly #sockets = new Set<Socket>()
  #socket: HealthSocket | undefined
  #touching: NodeJS.Timeout | undefined

  constructor(options: HealthServerOptions) {
    this.#options = options
  }

  /**
   * Resolves to where it listens. A socket that cannot be had is a problem to be told of, and no more.
   * @throws HealthAddressError where the port cannot be had
   */
  async start(): Promise<Listening> {
    const { host, place, port } = this.#options
    const url = port === undefined ? undefined : await this.#listen(host, port)
    if (place === undefined) return { url, path: undefined }
    try {
      const socket = await HealthSocket.open(this.#serve(true), place)
      this.#socket = socket
      // Somebody else may be about to take it away.
      this.#touching = setInterval(() => void socket.touch().catch(() => {}), touchMs).unref()
      return { url, path: socket.path }
    } catch (error) {
      return { url, path: undefined, problem: (error as Error).message }
    }
  }

  /** Safe twice. */
  async stop(): Promise<void> {
    clearInterval(this.#touching)
    for (const server of this.#servers.splice(0)) server.close()
    for (const socket of this.#sockets) socket.destroy()
    await this.#socket?.remove()
  }

  async #listen(host: string, port: number): Promise<string> {
    const server = this.#serve(false)
    try {
      server.listen({ port, host, exclusive: true })
      await once(server, 'listening')
    } catch (error) {
      const why = `${(error as Error).message}; choose another with healthPort and healthHost (--health-port and --health-host)`
      await this.stop()
      throw new HealthAddressError(`${host}:${port}`, why, { cause: error })
    }
    const { address, family, port: bound } = server.address() as AddressInfo
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${bound}`
  }

  /** What speaks HTTP is loaded when somebody asks: mostly nobody does, and it takes more than a MiB. */
  #serve(isOwner: boolean): Server {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      endInTime(socket)
      socket.on('error', () => socket.destroy())
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
      void import('./health-http.ts').then(({ speakHealth }) => speakHealth(socket, this.#options.source, isOwner))
    })
    server.maxConnections = mostConnections
    server.unref()
    this.#servers.push(server)
    return server
  }
}

/** Who says nothing, reads nothing or goes on for ever takes the place of others. */
function endInTime(socket: Socket): void {
  const timer = setTimeout(() => socket.destroy(), connectionMs).unref()
  socket.once('close', () => clearTimeout(timer))
}
