export { jsonSerializer, rawSerializer, textSerializer } from './built-in-serializers.ts'
export type { LazyCodec } from './codec-slot.ts'
export type { CompressedBody, Compression, DecompressOptions, LazyCompression } from './compression.ts'
export { CompressionRegistry } from './compression-registry.ts'
export { bzip2Compression } from './compressions/bzip2.ts'
export { xzCompression } from './compressions/xz.ts'
export { brotliCompression, zlibCompression } from './compressions/zlib.ts'
export { zstdCompression } from './compressions/zstd.ts'
export {
  CodecUnavailableError,
  ContentDisallowedError,
  DecodeError,
  EncodeError,
  UnknownCompressionError,
  UnknownSerializerError,
} from './errors.ts'
export type { FleetVersion } from './fleet-version.ts'
export type { JsonOptions, JsonTypes } from './json/json-options.ts'
export { parseJson } from './json/parse-json.ts'
export { stringifyJson } from './json/stringify-json.ts'
export { TypedValues, type TypedValuesOptions, type ValueType } from './json/typed-values.ts'
export type { MemoryOptions } from './memory-budget.ts'
export { type MsgpackOptions, msgpackSerializer } from './msgpack/msgpack-serializer.ts'
export { type PickleOptions, pickleSerializer } from './pickle/pickle-serializer.ts'
export { type BodyCodecs, type MessageContent, readBody } from './read-body.ts'
export type {
  BinarySerializer,
  DecodeOptions,
  EncodedBody,
  LazySerializer,
  Serializer,
  TextSerializer,
} from './serializer.ts'
export { SerializerRegistry, type SerializerRegistryOptions } from './serializer-registry.ts'
export { decodeUtf8 } from './text.ts'
export { DateTime } from './values/date-time.ts'
export { Decimal } from './values/decimal.ts'
export type { CalendarFields, ClockFields } from './values/iso-time.ts'
export { localTime } from './values/local-time.ts'
export { PlainDate } from './values/plain-date.ts'
export { TimeDelta } from './values/time-delta.ts'
export { TimeOfDay } from './values/time-of-day.ts'
export { Uuid } from './values/uuid.ts'
export { type YamlOptions, yamlSerializer } from './yaml/yaml-serializer.ts'
