import { CodecUnavailableError } from './errors.ts'

/** A codec that comes into memory on demand. */
export interface LazyCodec<Codec> {
  readonly contentType: string
  /** The npm package it needs, for the error that says so. */
  readonly packageName?: string
  load(): Promise<Codec>
}

/** The place of one codec in a registry: there from the start, or filled by `load()`. */
export class CodecSlot<Codec extends { readonly contentType: string }> {
  readonly name: string
  readonly contentType: string
  readonly #lazy: LazyCodec<Codec> | undefined
  #codec: Codec | undefined
  #loading: Promise<void> | undefined

  constructor(name: string, definition: Codec | LazyCodec<Codec>) {
    this.name = name
    this.contentType = definition.contentType
    if ('load' in definition) this.#lazy = definition
    else this.#codec = definition
  }

  /** @throws CodecUnavailableError where it is not loaded. */
  get codec(): Codec {
    if (this.#codec === undefined) throw new CodecUnavailableError(this.name, this.#lazy?.packageName)
    return this.#codec
  }

  /** Whether there is nothing to load. */
  get isLoaded(): boolean {
    return this.#codec !== undefined
  }

  /** At once where there is nothing to load. Calls at the same time load once. @throws CodecUnavailableError */
  load(): Promise<void> {
    if (this.#codec !== undefined || this.#lazy === undefined) return Promise.resolve()
    this.#loading ??= this.#fill(this.#lazy)
    return this.#loading
  }

  async #fill(lazy: LazyCodec<Codec>): Promise<void> {
    try {
      this.#codec = await lazy.load()
    } catch (cause) {
      // The package may be installed by the next time.
      this.#loading = undefined
      throw new CodecUnavailableError(this.name, lazy.packageName, { cause })
    }
  }
}
