import { CodecUnavailableError } from './errors.ts'
import { loadOnce } from './load-once.ts'

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
  readonly #packageName: string | undefined
  readonly #fill: () => Promise<void>
  #codec: Codec | undefined

  constructor(name: string, definition: Codec | LazyCodec<Codec>) {
    this.name = name
    this.contentType = definition.contentType
    const lazy = 'load' in definition ? definition : undefined
    if (lazy === undefined) this.#codec = definition as Codec
    this.#packageName = lazy?.packageName
    // Again after a failure: the package may be installed by then.
    this.#fill = loadOnce(async () => {
      this.#codec ??= await lazy?.load().catch((cause: unknown) => {
        throw new CodecUnavailableError(name, lazy.packageName, { cause })
      })
    })
  }

  /** @throws CodecUnavailableError where it is not loaded. */
  get codec(): Codec {
    if (this.#codec === undefined) throw new CodecUnavailableError(this.name, this.#packageName)
    return this.#codec
  }

  /** Whether there is nothing to load. */
  get isLoaded(): boolean {
    return this.#codec !== undefined
  }

  /** At once where there is nothing to load. Calls at the same time load once. @throws CodecUnavailableError */
  load(): Promise<void> {
    return this.#fill()
  }
}
