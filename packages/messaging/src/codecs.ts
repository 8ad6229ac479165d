import { CeleryError } from '@celery/promises'
import type { WireMessage } from '@celery/protocol'
import { CompressionRegistry, readBody, SerializerRegistry } from '@celery/serialization'

/** Which serializers and compressions there are. */
export interface CodecOptions {
  /** @defaultValue a registry with the built-in ones */
  readonly serializers?: SerializerRegistry | undefined
  /** @defaultValue a registry with the built-in ones */
  readonly compressions?: CompressionRegistry | undefined
}

export interface EncodeBodyOptions {
  readonly serializer: string | undefined
  readonly compression: string | undefined
  readonly contentType: string | undefined
  readonly contentEncoding: string | undefined
}

/** What a body becomes on the wire; `compression` is the content type that the header of that name tells. */
export interface EncodedMessageBody extends Pick<WireMessage, 'body' | 'contentType' | 'contentEncoding'> {
  readonly compression: string | undefined
}

/** Writes and reads message bodies as kombu does. */
export class BodyCodec {
  readonly #serializers: SerializerRegistry
  readonly #compressions: CompressionRegistry

  constructor({ serializers, compressions }: CodecOptions) {
    this.#serializers = serializers ?? new SerializerRegistry()
    this.#compressions = compressions ?? new CompressionRegistry()
  }

  /**
   * Content types from names or content types, their serializers brought into memory.
   * @throws UnknownSerializerError, CodecUnavailableError
   */
  async accept(namesOrTypes: readonly string[]): Promise<ReadonlySet<string>> {
    const accepted = this.#serializers.acceptList(namesOrTypes)
    for (const nameOrType of namesOrTypes) {
      await this.#serializers.load(nameOrType).catch((error: unknown) => {
        // A content type that no one registered is kept, and then unknown.
        if (!CeleryError.is(error, 'ERR_CELERY_UNKNOWN_SERIALIZER')) throw error
      })
    }
    return accepted
  }

  /**
   * Text and bytes travel as they are where neither a serializer nor a content type is named, other values as JSON.
   * @throws EncodeError, UnknownSerializerError, UnknownCompressionError, CodecUnavailableError
   */
  async encode(value: unknown, options: EncodeBodyOptions): Promise<EncodedMessageBody> {
    const plain = await this.#serialize(value, options)
    if (options.compression === undefined) return { ...plain, compression: undefined }
    await this.#compressions.load(options.compression)
    const { body, contentType } = this.#compressions.compress(plain.body, options.compression)
    return { ...plain, body, compression: contentType }
  }

  /** Brings into memory what `decode` needs. */
  async prepare({ headers }: Pick<WireMessage, 'headers'>): Promise<void> {
    const { compression } = headers
    if (typeof compression === 'string') await this.#compressions.load(compression)
  }

  /**
   * Nothing of the body is looked at before its content type was found acceptable.
   * @throws ContentDisallowedError, UnknownSerializerError, UnknownCompressionError, CodecUnavailableError, DecodeError
   */
  decode(message: WireMessage, accept: ReadonlySet<string>): unknown {
    return readBody(message, { serializers: this.#serializers, compressions: this.#compressions, accept })
  }

  async #serialize(
    value: unknown,
    { serializer, contentType, contentEncoding }: EncodeBodyOptions,
  ): Promise<Omit<EncodedMessageBody, 'compression'>> {
    const isText = typeof value === 'string'
    const isRaw = isText || value instanceof Uint8Array
    if (contentType !== undefined) {
      if (!isRaw) throw new TypeError('a body with a content type of its own must be text or bytes; name a serializer')
      return { body: value, contentType, contentEncoding: contentEncoding ?? (isText ? 'utf-8' : 'binary') }
    }
    if (serializer === undefined && isRaw) {
      return isText
        ? { body: value, contentType: 'text/plain', contentEncoding: 'utf-8' }
        : { body: value, contentType: 'application/data', contentEncoding: 'binary' }
    }
    const name = serializer ?? 'json'
    await this.#serializers.load(name)
    return this.#serializers.encode(value, name)
  }
}
