import type { BackendRegistry, ResultBackend } from '@celery/backend'
import { Connection, type ConnectionOptions, Producer, type TransportRegistry } from '@celery/messaging'
import { parseBrokerUrl } from '@celery/transport'
import type { AppConfiguration } from './app-configuration.ts'
import { brokerOptions } from './broker-options.ts'
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
  #backend: Promise<ResultBackend> | undefined

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
  backend(): Promise<ResultBackend> {
    const { backends, closed, configuration } = this.#options
    if (closed.aborted) return Promise.reject(closed.reason)
    try {
      const url = this.#backendUrl
      if (url === undefined) throw new NoBackendError()
      this.#backend ??= backends
        .open(url, { transportOptions: resultStoreOptions(url, configuration.settings) })
        .catch((error: unknown) => {
          this.#backend = undefined
          throw error
        })
      return this.#backend
    } catch (error) {
      return Promise.reject(error)
    }
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
    const [connection, backend] = [this.#connection, this.#backend]
    this.#producer = undefined
    this.#connection = undefined
    this.#backend = undefined
    try {
      await connection?.close()
    } finally {
      // One that could not be opened has told whoever asked for it.
      await (await backend?.catch(() => undefined))?.close()
    }
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
