import { connect, createServer, type Server, type Socket } from 'node:net'

/** What passes on one connection: whether it is to be cut now, instead of passing these bytes on. */
export interface Trigger {
  /** What the process has to have asked before. Absent: anything. */
  readonly request?: string
  /** What the answer has to hold. Absent: anything. */
  readonly reply?: string
}

interface Link {
  readonly client: Socket
  readonly upstream: Socket
  /** It has seen the request of the trigger. */
  isArmed: boolean
}

/**
 * The way of one process to its broker: a TCP proxy of its own, on which nothing is changed, but which can be held, and cut.
 * While it is shut it resets whoever connects.
 */
export class Way implements AsyncDisposable {
  readonly #server: Server
  readonly #links = new Set<Link>()
  readonly #target: () => number
  #isShut = false
  #struck: Link | undefined
  #trigger: { readonly on: Trigger; readonly strike: (link: Link) => void } | undefined

  private constructor(server: Server, target: () => number) {
    this.#server = server
    this.#target = target
    server.on('connection', (client) => this.#accept(client))
  }

  /** @param target - The broker's port on the loopback interface, asked for each connection. */
  static async open(target: () => number): Promise<Way> {
    const server = createServer({ noDelay: true })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(0, '127.0.0.1', resolve)
    })
    return new Way(server, target)
  }

  get port(): number {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('this way is closed')
    return address.port
  }

  get connections(): number {
    return this.#links.size
  }

  /** From now on nothing passes, and nobody can connect. */
  shut(): void {
    this.#isShut = true
    for (const { client, upstream } of this.#links) {
      client.pause()
      upstream.pause()
    }
  }

  /** Ends what was held, on both sides; the process sees an end, or with `reset` a connection that is reset. */
  drop(reset: boolean): void {
    for (const { client, upstream } of this.#links) {
      upstream.destroy()
      if (reset) client.resetAndDestroy()
      else client.destroy()
    }
    this.#links.clear()
    this.#struck = undefined
  }

  /** Ends only the connection whose answer struck. */
  dropStruck(): void {
    if (this.#struck === undefined) return
    this.#end(this.#struck)
    this.#struck = undefined
  }

  /** Lets pass what is left, and the process connect again. */
  open(): void {
    this.#isShut = false
    for (const link of this.#links) {
      const { client, upstream } = link
      if (client.destroyed || upstream.destroyed) this.#end(link)
      client.resume()
      upstream.resume()
    }
  }

  /**
   * Waits for a connection to answer what the trigger describes, and keeps the answer to itself: from then on nothing passes, as after
   * `shut`. Resolves to whether that came to pass within `limitMs`.
   */
  strikeOn(trigger: Trigger, limitMs: number): Promise<boolean> {
    for (const link of this.#links) link.isArmed = trigger.request === undefined
    return new Promise((resolve) => {
      const end = (struck: boolean): void => {
        clearTimeout(timer)
        this.#trigger = undefined
        resolve(struck)
      }
      const timer = setTimeout(() => end(false), limitMs)
      this.#trigger = {
        on: trigger,
        strike: (link) => {
          this.#struck = link
          this.shut()
          end(true)
        },
      }
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.shut()
    this.drop(true)
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  #accept(client: Socket): void {
    if (this.#isShut) {
      client.on('error', () => {})
      client.resetAndDestroy()
      return
    }
    const upstream = connect({ host: '127.0.0.1', port: this.#target(), noDelay: true })
    const link: Link = { client, upstream, isArmed: this.#trigger?.on.request === undefined }
    this.#links.add(link)
    const end = (): void => {
      // While it is shut nobody learns anything.
      if (!this.#isShut) this.#end(link)
    }
    for (const socket of [client, upstream]) {
      socket.on('error', end)
      socket.on('close', end)
    }
    client.on('data', (chunk: Buffer) => {
      const { request } = this.#trigger?.on ?? {}
      if (request !== undefined && chunk.includes(request)) link.isArmed = true
      if (!upstream.write(chunk)) client.pause()
    })
    upstream.on('data', (chunk: Buffer) => {
      if (this.#trigger !== undefined && link.isArmed && chunk.includes(this.#trigger.on.reply ?? '')) {
        this.#trigger.strike(link)
        return
      }
      if (!client.write(chunk)) upstream.pause()
    })
    client.on('drain', () => this.#resume(upstream))
    upstream.on('drain', () => this.#resume(client))
  }

  #end(link: Link): void {
    this.#links.delete(link)
    link.client.destroy()
    link.upstream.destroy()
  }

  #resume(socket: Socket): void {
    if (!this.#isShut) socket.resume()
  }
}
