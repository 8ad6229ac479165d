import type { CompressionRegistry } from './compression-registry.ts'
import { DecodeError } from './errors.ts'
import type { SerializerRegistry } from './serializer-registry.ts'

/** What of a message its body is read with. */
export interface MessageContent {
  /** As it came, serialized and maybe compressed. */
  readonly body: string | Uint8Array
  readonly contentType: string
  readonly contentEncoding: string
  /** `compression` among them says what it was compressed with. */
  readonly headers: Readonly<Record<string, unknown>>
}

/** What there is to read bodies with. */
export interface BodyCodecs {
  readonly serializers: SerializerRegistry
  readonly compressions: CompressionRegistry
  /** Content types that are read, made by `serializers.acceptList()`. */
  readonly accept: ReadonlySet<string>
}

/**
 * The value in the body of a message, as kombu reads it. Nothing of the body is looked at before its content type was found
 * acceptable. What it is read with must be in memory: see `load` of the two registries.
 * @throws ContentDisallowedError, UnknownSerializerError, UnknownCompressionError, CodecUnavailableError, DecodeError
 */
export function readBody(message: MessageContent, codecs: BodyCodecs): unknown {
  const { body, contentEncoding, contentType, headers } = message
  const { accept, compressions, serializers } = codecs
  const compression = headers['compression'] ?? undefined
  if (compression === undefined) return serializers.decode(body, contentType, contentEncoding, { accept })
  serializers.assertAccepted(contentType, accept)
  if (typeof compression !== 'string') throw new DecodeError(contentType, 'its compression header is not text')
  return serializers.decode(compressions.decompress(body, compression), contentType, contentEncoding, { accept })
}
