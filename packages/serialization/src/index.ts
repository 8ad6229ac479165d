export { brotliCompression, zlibCompression } from './built-in-compressions.ts'
export { jsonSerializer, rawSerializer, textSerializer } from './built-in-serializers.ts'
export type { LazyCodec } from './codec-slot.ts'
export type { CompressedBody, Compression, DecompressOptions, LazyCompression } from './compression.ts'
export { CompressionRegistry } from './compression-registry.ts'
export {
  CodecUnavailableError,
  ContentDisallowedError,
  DecodeError,
  EncodeError,
  UnknownCompressionError,
  UnknownSerializerError,
} from './errors.ts'
export type { JsonOptions, JsonTypes } from './json/json-options.ts'
export { parseJson } from './json/parse-json.ts'
export { stringifyJson } from './json/stringify-json.ts'
export type {
  BinarySerializer,
  DecodeOptions,
  EncodedBody,
  LazySerializer,
  Serializer,
  TextSerializer,
} from './serializer.ts'
export { SerializerRegistry } from './serializer-registry.ts'
export { decodeUtf8 } from './text.ts'
