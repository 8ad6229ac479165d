import { BackendRegistry } from '@celery/backend'
import { TransportRegistry } from '@celery/messaging'
import { type Clock, systemClock } from '@celery/promises'
import type { ErrorRegistry } from '@celery/protocol'
import type { AppConfiguration } from './app-configuration.ts'
import { AppConnections, type AppConnectionsOptions } from './app-connections.ts'
import { AppResults } from './app-results.ts'
import { AppClosedError } from './call-errors.ts'
import type { RecordCodec } from './record-codec.ts'
import { ImproperlyConfiguredError } from './setup-errors.ts'
import type { Surroundings } from './surroundings.ts'

export interface AppSurroundingsOptions extends AppConnectionsOptions {
  /** Name of the app, for people. */
  readonly main: string
  readonly configuration: AppConfiguration
  readonly errors: ErrorRegistry
  readonly records: RecordCodec
}

/** What an app finds around it: its broker, its result store, the time. A test puts others in their place. */
export class AppSurroundings {
  readonly #options: AppSurroundingsOptions
  #connections: AppConnections
  #results: AppResults
  #clock: Clock = systemClock
  #isSubstituted = false

  constructor(options: AppSurroundingsOptions) {
    this.#options = options
    this.#connections = new AppConnections(options)
    this.#results = this.#readResults(options.closed)
  }

  get connections(): AppConnections {
    return this.#connections
  }

  get results(): AppResults {
    return this.#results
  }

  /** Whose time says when a call is due and when it expires. */
  get clock(): Clock {
    return this.#clock
  }

  /**
   * Puts others in the place of the app's own. Disposing what is returned closes what was opened in them and brings back the
   * app's own, with the settings as they were.
   * @throws ImproperlyConfiguredError where others are in that place already.
   */
  substitute({ backend, clock, settings, transport }: Surroundings): AsyncDisposable {
    const { configuration, main } = this.#options
    if (this.#isSubstituted) {
      throw new ImproperlyConfiguredError('app', `the app "${main}" is being tested already; end that test before`)
    }
    const own = [this.#connections, this.#results] as const
    const ended = new AbortController()
    const closed = AbortSignal.any([this.#options.closed, ended.signal])
    const transports = new TransportRegistry()
    const backends = new BackendRegistry()
    for (const scheme of ['memory', ...this.#options.transports.schemes])
      transports.register(scheme, async () => transport)
    for (const scheme of ['memory', ...this.#options.backends.schemes]) backends.register(scheme, async () => backend)
    const restoreSettings = configuration.substitute(settings)
    const connections = new AppConnections({ ...this.#options, transports, backends, closed })
    const results = this.#readResults(closed)
    this.#connections = connections
    this.#results = results
    this.#clock = clock
    this.#isSubstituted = true
    return {
      [Symbol.asyncDispose]: async () => {
        if (ended.signal.aborted) return
        ended.abort(new AppClosedError(main))
        restoreSettings()
        ;[this.#connections, this.#results] = own
        this.#clock = systemClock
        this.#isSubstituted = false
        await closeAll(connections, results)
        // The app was closed meanwhile, which did not reach what it had opened before.
        if (this.#options.closed.aborted) await this.close()
      },
    }
  }

  /** Closes what was opened, after what is being sent was confirmed. */
  async close(): Promise<void> {
    await closeAll(this.#connections, this.#results)
  }

  #readResults(closed: AbortSignal): AppResults {
    const { configuration, errors, records } = this.#options
    return new AppResults(
      { conf: configuration.conf, errors, records, backend: () => this.#connections.backend() },
      closed,
    )
  }
}

async function closeAll(connections: AppConnections, results: AppResults): Promise<void> {
  await connections.idle()
  await results.close()
  await connections.close()
}
