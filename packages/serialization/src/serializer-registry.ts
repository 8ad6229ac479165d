import { CeleryError, quote } from '@celery/promises'
import { jsonSerializer, rawSerializer, textSerializer } from './built-in-serializers.ts'
import { CodecSlot } from './codec-slot.ts'
import { ContentDisallowedError, DecodeError, EncodeError, UnknownSerializerError } from './errors.ts'
import type { FleetVersion } from './fleet-version.ts'
import { TypedValues } from './json/typed-values.ts'
import { msgpackSerializer } from './msgpack/msgpack-serializer.ts'
import type { DecodeOptions, EncodedBody, LazySerializer, Serializer } from './serializer.ts'
import { decodeUtf8, toBytes } from './text.ts'
import { yamlSerializer } from './yaml/yaml-serializer.ts'

/** Content types that only ever give the text or bytes as they are; kombu takes them from everybody. */
const HARMLESS: ReadonlySet<string> = new Set(['application/data', 'application/text'])
const JSON_ONLY: ReadonlySet<string> = new Set(['application/json'])
/** What `decode` makes of a content type that needs no serializer. */
const PLAIN_TEXT = 'application/text'
/** Encodings that Python puts on UTF-8, its subset, or bytes. */
const READABLE_ENCODINGS: ReadonlySet<string> = new Set(['utf-8', 'utf8', 'us-ascii', 'ascii', 'binary'])

export interface SerializerRegistryOptions {
  /** The oldest Celery that reads what we write; a function is asked for each typed value. @defaultValue `'5.6'` */
  readonly fleetVersion?: FleetVersion | (() => FleetVersion)
}

/**
 * The serializers of one application, by name (for sending) and by content type (for receiving). Starts with `json`,
 * `yaml` and `msgpack` (both loaded on demand), `text` (`text/plain`) and `raw` (`application/data`). Python's `pickle` is known
 * by name only: sending and reading it fail with the reason, until `pickleSerializer()` is registered.
 */
export class SerializerRegistry {
  /** Values that JSON has no word for. Register types of your own here; give it to `parseJson` as `types`. */
  readonly types: TypedValues
  readonly #byName = new Map<string, CodecSlot<Serializer>>()
  readonly #byContentType = new Map<string, CodecSlot<Serializer>>()
  /** Content types that are not read, whatever is accepted. */
  readonly #disabled = new Set<string>()

  constructor(options: SerializerRegistryOptions = {}) {
    this.types = new TypedValues(options)
    this.register('json', jsonSerializer({ types: this.types }))
    this.register('yaml', yamlSerializer())
    this.register('msgpack', msgpackSerializer())
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

  /**
   * Lets nothing of a format be read any more, whatever is accepted; for a program that must be sure. It still sends it.
   * @throws UnknownSerializerError
   */
  disable(nameOrType: string): this {
    this.#disabled.add(this.#find(nameOrType).contentType)
    return this
  }

  /** Takes {@link disable} back. @throws UnknownSerializerError */
  enable(nameOrType: string): this {
    this.#disabled.delete(this.#find(nameOrType).contentType)
    return this
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

  /** Whether `load` has nothing to bring: it is in memory, or unknown. */
  isLoaded(nameOrType: string): boolean {
    return (this.#byName.get(nameOrType) ?? this.#byContentType.get(nameOrType))?.isLoaded ?? true
  }

  /**
   * Refuses a content type before anything of a message is looked at, its compression among it.
   * @param accept - Made by `acceptList()`.
   * @throws ContentDisallowedError
   */
  assertAccepted(contentType: string, accept: ReadonlySet<string>): void {
    if ((accept.has(contentType) || HARMLESS.has(contentType)) && !this.#disabled.has(contentType)) return
    throw new ContentDisallowedError(contentType, accept)
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
    this.assertAccepted(contentType, accept)
    const slot = this.#byContentType.get(contentType === PLAIN_TEXT ? 'text/plain' : contentType)
    if (slot === undefined) throw new UnknownSerializerError(contentType, this.#byContentType.keys())
    const serializer = slot.codec
    if (!READABLE_ENCODINGS.has(contentEncoding) && !READABLE_ENCODINGS.has(contentEncoding.toLowerCase())) {
      throw new DecodeError(contentType, `unknown content encoding ${quote(contentEncoding)}`)
    }
    try {
      if (serializer.contentEncoding !== 'binary') return serializer.decode(toText(body, contentType))
      // kombu gives text for it where the encoding is one of text.
      if (serializer === rawSerializer && contentEncoding !== 'binary') return toText(body, contentType)
      return serializer.decode(toBytes(body))
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

function toText(body: string | Uint8Array, contentType: string): string {
  return typeof body === 'string' ? body : decodeUtf8(body, contentType)
}
