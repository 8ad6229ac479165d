import type { BackendRegistry, OpenBackendOptions, ResultBackend } from '@celery/backend'
import { Connection, type ConnectionOptions, Producer, type TransportRegistry } from '@celery/messaging'
import { CeleryError } from '@celery/promises'
import { type BrokerAddress, parseBrokerUrl } from '@celery/transport'
import type { AppConfiguration } from './app-configuration.ts'
import { brokerOptions, isRedis } from './broker-options.ts'
import { listOf } from './list-of.ts'
import { localQueueUrl } from './local-queue.ts'
import { publishPolicy } from './publish-policy.ts'
import { resultStoreOptions } from './result-store-options.ts'
import { NoBackendError } from './setup-errors.ts'

export interface AppConnectionsOptions {
  readonly configuration: AppConfiguration
  readonly transports: TransportRegistry
  readonly backends: BackendRegistry
  /** Folder from which the embedded broker's file is found. */
  readonly root: string
  readonly notify: (message: string) => void
  /** Aborts when the app is closed: nothing is opened from then on. */
  readonly closed: AbortSignal
}

export interface AppConnectionOptions extends Pick<ConnectionOptions, 'onError'> {
  /** Another broker than the settings name. */
  readonly url?: string | readonly string[]
}

/** What an app has open: its producer, with a connection of its own, and its result store. Each is opened when first used. */
export class AppConnections {
  readonly #options: AppConnectionsOptions
  #announced = false
  #local: string | undefined
  #connection: Connection | undefined
  #producer: Producer | undefined
  /** For connections that callers bring. */
  readonly #borrowing = new WeakMap<Connection, Producer>()
  #backend: ResultBackend | undefined
  /** Attempts to open it, by whether they are made once. */
  readonly #opening = new Map<boolean, Promise<ResultBackend>>()

  constructor(options: AppConnectionsOptions) {
    this.#options = options
  }

  /** A new connection; the caller closes it. */
  connect(purpose: 'read' | 'write', { url, ...options }: AppConnectionOptions = {}): Connection {
    const { closed, configuration, transports } = this.#options
    closed.throwIfAborted()
    const urls = url === undefined ? this.#brokerUrls(purpose) : listOf(url)
    if (urls[0] === this.#local) this.#announceLocal()
    const { settings } = configuration
    const { brokerFailoverStrategy, leaseMs } = settings
    return new Connection({
      ...options,
      urls,
      transports,
      failoverStrategy: brokerFailoverStrategy,
      open: { leaseMs, transportOptions: brokerOptions(urls, settings) },
    })
  }

  /** What sends, over the app's own connection or one that the caller brings. Made at the first call. */
  producer(connection?: Connection): Producer {
    if (connection === undefined) {
      this.#connection ??= this.connect('write')
      this.#producer ??= this.#produceOver(this.#connection)
      return this.#producer
    }
    const producer = this.#borrowing.get(connection) ?? this.#produceOver(connection)
    this.#borrowing.set(connection, producer)
    return producer
  }

  /** The result store, opened at the first call. @throws NoBackendError where none is configured; AppClosedError. */
  backend({ once = false }: Pick<OpenBackendOptions, 'once'> = {}): Promise<ResultBackend> {
    const { closed } = this.#options
    if (closed.aborted) return Promise.reject(closed.reason)
    if (this.#backend !== undefined) return Promise.resolve(this.#backend)
    const underWay = this.#opening.get(once)
    if (underWay !== undefined) return underWay
    const opening = this.#openBackend(once).finally(() => this.#opening.delete(once))
    this.#opening.set(once, opening)
    return opening
  }

  get keepsResults(): boolean {
    return this.#backendUrl !== undefined
  }

  /** Where messages go, with the password masked. */
  get brokerAddress(): string {
    const addresses = this.#brokerUrls('write').map((url) => parseBrokerUrl(url))
    return addresses.flatMap((address) => [address, ...address.alternates]).join(';')
  }

  /** Where results go, with the password masked; `undefined` where they are not kept. */
  get backendAddress(): string | undefined {
    const url = this.#backendUrl
    return url === undefined ? undefined : parseBrokerUrl(url).toString()
  }

  /** Resolves when what is being sent was confirmed, or refused. */
  async idle(): Promise<void> {
    await this.#producer?.idle()
  }

  async close(): Promise<void> {
    const connection = this.#connection
    this.#producer = undefined
    this.#connection = undefined
    try {
      await connection?.close()
    } finally {
      // One that could not be opened has told whoever asked for it.
      await Promise.allSettled(this.#opening.values())
      const backend = this.#backend
      this.#backend = undefined
      await backend?.close()
    }
  }

  /** Who tries once need not wait for who tries again and again; the store that is there first is everybody's. */
  async #openBackend(once: boolean): Promise<ResultBackend> {
    const { backends, closed, configuration } = this.#options
    const url = this.#backendUrl
    if (url === undefined) throw new NoBackendError(this.#redisBroker)
    const other = this.#opening.get(true)
    if (!once && other !== undefined) {
      const found = await other.catch(() => undefined)
      if (found !== undefined) return found
    }
    const transportOptions = resultStoreOptions(url, configuration.settings)
    let backend: ResultBackend
    try {
      backend = await backends.open(url, { once, signal: closed, transportOptions })
    } catch (error) {
      if (this.#backend !== undefined) return this.#backend
      throw error
    }
    if (this.#backend === undefined) this.#backend = backend
    else await backend.close().catch(() => undefined)
    return this.#backend
  }

  #brokerUrls(purpose: 'read' | 'write'): readonly string[] {
    this.#options.configuration.read()
    const { brokerReadUrl, brokerUrl, brokerWriteUrl } = this.#options.configuration.settings
    const url = (purpose === 'read' ? brokerReadUrl : brokerWriteUrl) ?? brokerUrl
    return url === undefined ? [this.#localUrl] : listOf(url)
  }

  /** With the embedded broker results are kept in the same file, so that the two share its transactions. */
  get #backendUrl(): string | undefined {
    this.#options.configuration.read()
    const { brokerReadUrl, brokerUrl, brokerWriteUrl, resultBackend } = this.#options.configuration.settings
    if (resultBackend !== undefined) return resultBackend
    return (brokerUrl ?? brokerReadUrl ?? brokerWriteUrl) === undefined ? this.#localUrl : undefined
  }

  /** The broker where results could be kept as well, with the password masked. Of several servers, one. */
  get #redisBroker(): string | undefined {
    const [url] = this.#brokerUrls('write')
    if (url === undefined || !isRedis(url)) return undefined
    const address = readableAddress(url)
    if (address === undefined) return undefined
    const isOneServer = /^rediss?$/.test(address.scheme)
    return isOneServer ? address.toString() : [address, ...address.alternates].join(';')
  }

  get #localUrl(): string {
    this.#local ??= localQueueUrl(this.#options.root)
    return this.#local
  }

  #announceLocal(): void {
    if (this.#announced || this.#local === undefined) return
    this.#announced = true
    this.#options.notify(`no broker is configured; using the embedded one in ${parseBrokerUrl(this.#local).path}`)
  }

  #produceOver(connection: Connection): Producer {
    const { settings } = this.#options.configuration
    return new Producer({
      connection,
      publishTimeoutMs: settings.publishTimeoutMs,
      retryPolicy: settings.taskPublishRetry ? publishPolicy(settings) : undefined,
    })
  }
}

/** What is wrong with a broker's URL is told to whoever opens it. */
function readableAddress(url: string): BrokerAddress | undefined {
  try {
    return parseBrokerUrl(url)
  } catch (error) {
    if (CeleryError.is(error, 'ERR_CELERY_INVALID_BROKER_URL')) return undefined
    throw error
  }
}
