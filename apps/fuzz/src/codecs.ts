import { CompressionRegistry, pickleSerializer, SerializerRegistry } from '@celery/serialization'
import { acceptContent } from './setup.ts'

/** Every format, ready for use: what the worker under test has, and what tells here what a message says. */
export interface Codecs {
  readonly serializers: SerializerRegistry
  readonly compressions: CompressionRegistry
  readonly accept: ReadonlySet<string>
}

/** Serializers that write values of every kind. */
export const structuredSerializers = ['json', 'yaml', 'msgpack', 'pickle'] as const

/** Without aliases. */
export const compressionNames = ['zlib', 'brotli', 'zstd', 'bzip2', 'lzma'] as const

export async function loadCodecs(): Promise<Codecs> {
  const serializers = new SerializerRegistry().register('pickle', pickleSerializer())
  const compressions = new CompressionRegistry()
  for (const name of structuredSerializers) await serializers.load(name)
  for (const name of compressionNames) await compressions.load(name)
  return { serializers, compressions, accept: serializers.acceptList(acceptContent) }
}
