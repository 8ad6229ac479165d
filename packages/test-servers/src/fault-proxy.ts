import { once } from 'node:events'
import { connect, createServer, type NetConnectOpts, type Server, type Socket } from 'node:net'
import { freePort } from './free-port.ts'
import { type Direction, ProxiedConnection } from './proxied-connection.ts'
import { ProxyFaults } from './proxy-faults.ts'

export interface FaultProxyOptions {
  /** Where random delays come from, from 0 to 1; give one with a seed for runs that can be repeated. @defaultValue `Math.random` */
  readonly random?: (() => number) | undefined
}

/**
 * A TCP proxy on a free loopback port, in front of one server, that does to connections what networks do. Any client can
 * use it, also those of other processes. What is switched on holds for open connections and for new ones, all together,
 * until {@link FaultProxy.restore}.
 *
 * `toServer` is what clients send, `toClient` what the server replies.
 */
export interface FaultProxy extends AsyncDisposable {
  readonly host: string
  readonly port: number
  /** Connections that are open now. */
  readonly connections: number
  /** Connections that were accepted so far. */
  readonly accepted: number
  /** Bytes that were swallowed so far. */
  readonly lostBytes: number
  /** The URL of a server, with this proxy in place of its host and port. */
  url(serverUrl: string): string
  /** Delays every piece by `ms` milliseconds, more or less at random by up to `jitterMs`. The order stays. */
  latency(ms: number, jitterMs?: number): void
  /** Lets through at most that much in each direction of each connection. */
  bandwidth(bytesPerSecond: number): void
  /** Forwards in pieces of at most that many bytes. */
  slice(bytes: number): void
  /** Forwards nothing and says nothing: neither data nor the end of a connection arrives. @defaultValue both directions */
  swallow(direction?: Direction): void
  /** Swallows both directions of the connections that are open, for good: `restore` resets none of them. New ones get through. */
  swallowOpen(): void
  /** Resets the connection that is the next to have forwarded so many bytes from now on. Resolves when that has happened. */
  resetAfter(direction: Direction, bytes: number): Promise<void>
  /** Resets the connection on the next reply with this in it, which is not forwarded. Resolves when that has happened. */
  cutOnReply(pattern: string | RegExp): Promise<void>
  /**
   * Forwards the next request with this in it, waits until the server has begun to reply, and resets the connection in place
   * of forwarding that: what was asked for has been done, and nobody heard of it. Resolves when that has happened.
   */
  cutReplyTo(pattern: string | RegExp): Promise<void>
  /** Takes no new connection; the system refuses them. Open ones stay. */
  refuse(): Promise<void>
  /** Resets all connections that are open. New ones are accepted. */
  cut(): void
  /** Ends all faults. Connections that have lost bytes are reset: what follows would make no sense to either end. */
  restore(): Promise<void>
  close(): Promise<void>
}

const HOST = '127.0.0.1'
const PORT_ATTEMPTS = 10

/** Starts a proxy in front of a server, which need not be there yet. Dispose it before the server. */
export async function startFaultProxy(
  target: { readonly host?: string; readonly port: number } | { readonly path: string },
  options: FaultProxyOptions = {},
): Promise<FaultProxy> {
  const place: NetConnectOpts =
    'path' in target ? { path: target.path } : { host: target.host ?? HOST, port: target.port }
  for (let attempt = 1; ; attempt++) {
    const proxy = new LoopbackProxy(await freePort(), place, options.random ?? Math.random)
    try {
      await proxy.restore()
      return proxy
    } catch (error) {
      if (attempt === PORT_ATTEMPTS || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    }
  }
}

class LoopbackProxy implements FaultProxy {
  readonly host: string = HOST
  readonly port: number
  readonly #target: NetConnectOpts
  readonly #faults: ProxyFaults
  readonly #open = new Set<ProxiedConnection>()
  #accepted = 0
  #server: Server | undefined

  constructor(port: number, target: NetConnectOpts, random: () => number) {
    this.port = port
    this.#target = target
    this.#faults = new ProxyFaults(random)
  }

  get connections(): number {
    return this.#open.size
  }

  get accepted(): number {
    return this.#accepted
  }

  get lostBytes(): number {
    return this.#faults.lostBytes
  }

  url(serverUrl: string): string {
    const url = new URL(serverUrl)
    url.hostname = this.host
    url.port = String(this.port)
    return url.href
  }

  latency(ms: number, jitterMs = 0): void {
    this.#faults.latencyMs = ms
    this.#faults.jitterMs = jitterMs
  }

  bandwidth(bytesPerSecond: number): void {
    this.#faults.bytesPerSecond = bytesPerSecond
  }

  slice(bytes: number): void {
    this.#faults.sliceBytes = bytes
  }

  swallow(direction?: Direction): void {
    for (const one of direction === undefined ? (['toServer', 'toClient'] as const) : [direction]) {
      this.#faults.swallowed.add(one)
    }
  }

  swallowOpen(): void {
    for (const connection of this.#open) connection.isSilent = true
  }

  resetAfter(direction: Direction, bytes: number): Promise<void> {
    return this.#faults.addTrap({ kind: 'bytes', direction, bytes })
  }

  cutOnReply(pattern: string | RegExp): Promise<void> {
    return this.#faults.addTrap({ kind: 'reply', pattern })
  }

  cutReplyTo(pattern: string | RegExp): Promise<void> {
    return this.#faults.addTrap({ kind: 'request', pattern })
  }

  async refuse(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    // `close` waits for open connections, which are to stay; that it no longer listens holds at once.
    server?.close()
  }

  cut(): void {
    for (const connection of [...this.#open]) connection.reset()
  }

  async restore(): Promise<void> {
    this.#faults.clear()
    for (const connection of [...this.#open]) {
      if (connection.hasLost && !connection.isSilent) connection.reset()
    }
    if (this.#server !== undefined) return
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket))
    server.listen({ port: this.port, host: this.host, exclusive: true })
    await once(server, 'listening')
    this.#server = server
  }

  async close(): Promise<void> {
    await this.refuse()
    this.cut()
    this.#faults.clear()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #accept(client: Socket): void {
    this.#accepted += 1
    const server = connect({ ...this.#target, allowHalfOpen: true, noDelay: true })
    const connection = new ProxiedConnection(client, server, this.#faults, () => this.#open.delete(connection))
    this.#open.add(connection)
  }
}
