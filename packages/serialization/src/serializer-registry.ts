import { CeleryError } from '@celery/promises'
import { jsonSerializer, rawSerializer, textSerializer } from './built-in-serializers.ts'
import { CodecSlot } from './codec-slot.ts'
import { ContentDisallowedError, DecodeError, EncodeError, UnknownSerializerError } from './errors.ts'
import type { DecodeOptions, EncodedBody, LazySerializer, Serializer } from './serializer.ts'
import { decodeUtf8, toBytes } from './text.ts'

/** Content types that only ever give the text or bytes as they are. */
const HARMLESS: ReadonlySet<string> = new Set(['application/data', 'application/text'])
const JSON_ONLY: ReadonlySet<string> = new Set(['application/json'])
/** Encodings that Python puts on UTF-8, its subset, or bytes. */
const READABLE_ENCODINGS: ReadonlySet<string> = new Set(['utf-8', 'utf8', 'us-ascii', 'ascii', 'binary'])

/**
 * The serializers of one application, by name (for sending) and by content type (for receiving). Starts with `json`,
 * `text` (`text/plain`) and `raw` (`application/data`).
 */
export class SerializerRegistry {
  readonly #byName = new Map<string, CodecSlot<Serializer>>()
  readonly #byContentType = new Map<string, CodecSlot<Serializer>>()

  constructor() {
    this.register('json', jsonSerializer())
    this.register('text', textSerializer)
    this.register('raw', rawSerializer)
  }

  /** Adds a serializer; one of the same name or content type gives way. */
  register(name: string, definition: Serializer | LazySerializer): this {
    this.unregister(name)
    const slot = new CodecSlot(name, definition)
    this.#byName.set(name, slot)
    this.#byContentType.set(slot.contentType, slot)
    return this
  }

  /** Removes a serializer; says whether it was there. */
  unregister(name: string): boolean {
    const slot = this.#byName.get(name)
    if (slot === undefined) return false
    this.#byName.delete(name)
    if (this.#byContentType.get(slot.contentType) === slot) this.#byContentType.delete(slot.contentType)
    return true
  }

  /** Names, in order of registration. */
  names(): string[] {
    return [...this.#byName.keys()]
  }

  /**
   * Content types for `decode`, from names or content types. A content type that no one registered is kept: it is
   * accepted, and then unknown.
   * @throws UnknownSerializerError for a name that is not registered.
   */
  acceptList(namesOrTypes: Iterable<string>): ReadonlySet<string> {
    const accepted = new Set<string>()
    for (const item of namesOrTypes) accepted.add(item.includes('/') ? item : this.#find(item).contentType)
    return accepted
  }

  /**
   * Brings a lazy serializer into memory, after which `encode` and `decode` can use it; at once for the others.
   * Await it at start for every format that is configured or accepted.
   * @throws UnknownSerializerError, CodecUnavailableError
   */
  async load(nameOrType: string): Promise<void> {
    await this.#find(nameOrType).load()
  }

  /**
   * @throws EncodeError where the format cannot hold the value.
   * @throws UnknownSerializerError, CodecUnavailableError
   */
  encode(value: unknown, nameOrType: string = 'json'): EncodedBody {
    const serializer = this.#find(nameOrType).codec
    const { contentType, contentEncoding } = serializer
    try {
      return { contentType, contentEncoding, body: serializer.encode(value) }
    } catch (error) {
      if (CeleryError.is(error, 'ERR_CELERY_ENCODE')) throw error
      throw new EncodeError(contentType, 'the serializer failed', '$', { cause: error })
    }
  }

  /**
   * Reads a body that was received. Nothing of it is looked at before its content type was found acceptable.
   * @throws ContentDisallowedError, UnknownSerializerError, CodecUnavailableError
   * @throws DecodeError for everything that is wrong with the body itself.
   */
  decode(
    body: string | Uint8Array,
    contentType: string,
    contentEncoding: string = 'utf-8',
    options: DecodeOptions = {},
  ): unknown {
    const accept = options.accept ?? JSON_ONLY
    if (!accept.has(contentType) && !HARMLESS.has(contentType)) throw new ContentDisallowedError(contentType, accept)
    const slot = this.#byContentType.get(contentType)
    if (slot === undefined) throw new UnknownSerializerError(contentType, this.#byContentType.keys())
    const serializer = slot.codec
    if (!READABLE_ENCODINGS.has(contentEncoding) && !READABLE_ENCODINGS.has(contentEncoding.toLowerCase())) {
      throw new DecodeError(contentType, `unknown content encoding ${JSON.stringify(contentEncoding.slice(0, 100))}`)
    }
    try {
      if (serializer.contentEncoding === 'binary') return serializer.decode(toBytes(body))
      return serializer.decode(typeof body === 'string' ? body : decodeUtf8(body, contentType))
    } catch (error) {
      if (CeleryError.is(error, 'ERR_CELERY_DECODE')) throw error
      throw new DecodeError(contentType, 'the serializer failed', undefined, { cause: error })
    }
  }

  #find(nameOrType: string): CodecSlot<Serializer> {
    const slot = this.#byName.get(nameOrType) ?? this.#byContentType.get(nameOrType)
    if (slot === undefined) throw new UnknownSerializerError(nameOrType, this.#byName.keys())
    return slot
  }
}
