import type { AbortableOptions } from '@celery/promises'
import { UnknownBackendError } from './errors.ts'
import type { BackendDriver, OpenBackendOptions, ResultBackend } from './result-backend.ts'

/** Loads the driver of one URL scheme, when it is first needed. */
export type LoadBackend = (options?: AbortableOptions) => Promise<BackendDriver>

/** Which driver serves which URL scheme. Belongs to an app: two apps in one process do not share it. */
export class BackendRegistry {
  readonly #byScheme = new Map<string, LoadBackend>()

  /** Adds or replaces the driver of a scheme. */
  register(scheme: string, load: LoadBackend): this {
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
   * Opens the store that a `result_backend` URL names.
   * @throws UnknownBackendError where no driver is registered for its scheme.
   * @throws BackendUnavailableError where the store cannot be reached.
   */
  async open(url: string, options?: OpenBackendOptions): Promise<ResultBackend> {
    const scheme = schemeOf(url)
    const load = this.#byScheme.get(scheme)
    if (load === undefined) throw new UnknownBackendError(scheme, this.schemes)
    const driver = await load(options)
    return driver.open(url, options)
  }
}

/** `redis` of `redis://…`; a bare name such as `rpc` is its own scheme, as in Celery. */
function schemeOf(url: string): string {
  const end = url.indexOf('://')
  return (end === -1 ? url : url.slice(0, end)).toLowerCase()
}
