import { isUtf8 } from 'node:buffer'
import { DecodeError } from './errors.ts'

/** Bytes as text; unlike `TextDecoder` it keeps a byte order mark. @throws DecodeError where they are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array, contentType: string): string {
  if (!isUtf8(bytes)) throw new DecodeError(contentType, 'invalid UTF-8')
  return asBuffer(bytes).toString('utf8')
}

/** Text as UTF-8; bytes as they are. */
export function toBytes(body: string | Uint8Array): Uint8Array {
  return typeof body === 'string' ? Buffer.from(body, 'utf8') : body
}

/** The same memory, with `Buffer`'s methods. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
