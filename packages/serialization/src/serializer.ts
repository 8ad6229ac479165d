import type { LazyCodec } from './codec-slot.ts'

/** Turns values into bodies and back; registered under a name. */
export type Serializer = TextSerializer | BinarySerializer

/** A format of text, which travels as UTF-8. */
export interface TextSerializer {
  /** Bare MIME type; Python compares it letter by letter, so no parameters. */
  readonly contentType: string
  readonly contentEncoding: 'utf-8'
  /** @throws EncodeError */
  encode(value: unknown): string
  /** @throws DecodeError, or anything, which then becomes the cause of one. */
  decode(text: string): unknown
}

/** A format of bytes. */
export interface BinarySerializer {
  readonly contentType: string
  readonly contentEncoding: 'binary'
  /** @throws EncodeError */
  encode(value: unknown): Uint8Array
  /** @throws DecodeError, or anything, which then becomes the cause of one. */
  decode(bytes: Uint8Array): unknown
}

/** A serializer that comes into memory on demand, so that an application pays only for the formats it uses. */
export type LazySerializer = LazyCodec<Serializer>

/** A value on its way out. */
export interface EncodedBody {
  readonly contentType: string
  readonly contentEncoding: string
  readonly body: string | Uint8Array
}

export interface DecodeOptions {
  /**
   * Content types to accept, made once by `acceptList()`. `application/data` and `application/text` need no mention,
   * as in kombu. @defaultValue JSON only
   */
  readonly accept?: ReadonlySet<string>
}
