import type { AbortableOptions } from '@celery/promises'
import {
  type BrokerAddress,
  type BrokerConnection,
  type OpenOptions,
  parseBrokerUrl,
  type Transport,
  UnknownTransportError,
} from '@celery/transport'
import { isConnectionLost } from './temporary-errors.ts'

/** Loads the driver of one URL scheme, when it is first needed. */
export type LoadTransport = (options?: AbortableOptions) => Promise<Transport>

/** Which driver serves which URL scheme. Belongs to an app: two apps in one process do not share it. */
export class TransportRegistry {
  readonly #byScheme = new Map<string, LoadTransport>()

  /** Adds or replaces the driver of a scheme. */
  register(scheme: string, load: LoadTransport): this {
    this.#byScheme.set(scheme.toLowerCase(), load)
    return this
  }

  has(scheme: string): boolean {
    return this.#byScheme.has(scheme.toLowerCase())
  }

  get schemes(): readonly string[] {
    return [...this.#byScheme.keys()]
  }

  /**
   * Opens one connection to the first of the brokers in `url` that can be reached.
   * @throws UnknownTransportError where no driver is registered for its scheme.
   * @throws ConnectionLostError where the broker cannot be reached.
   */
  async open(url: string, options?: OpenOptions): Promise<BrokerConnection> {
    const address = parseBrokerUrl(url)
    let lost: unknown
    for (const candidate of [address, ...address.alternates]) {
      try {
        return await this.openAddress(candidate, options)
      } catch (error) {
        options?.signal?.throwIfAborted()
        if (!isConnectionLost(error)) throw error
        lost ??= error
      }
    }
    throw lost
  }

  /**
   * Opens one connection to this broker and no other.
   * @throws UnknownTransportError, ConnectionLostError
   */
  async openAddress(address: BrokerAddress, options?: OpenOptions): Promise<BrokerConnection> {
    const transport = await this.loaderOf(address.scheme)(options)
    return transport.open(address, options)
  }

  /** What loads the driver of a scheme. @throws UnknownTransportError where none is registered. */
  loaderOf(scheme: string): LoadTransport {
    const load = this.#byScheme.get(scheme.toLowerCase())
    if (load === undefined) throw new UnknownTransportError(scheme, this.schemes)
    return load
  }
}
