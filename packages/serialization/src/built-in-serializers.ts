import { EncodeError } from './errors.ts'
import type { JsonOptions } from './json/json-options.ts'
import { parseJson } from './json/parse-json.ts'
import { stringifyJson } from './json/stringify-json.ts'
import type { BinarySerializer, TextSerializer } from './serializer.ts'

/** JSON in Python's dialect; see `parseJson` and `stringifyJson`. */
export function jsonSerializer(options?: JsonOptions): TextSerializer {
  return {
    contentType: 'application/json',
    contentEncoding: 'utf-8',
    encode: (value) => stringifyJson(value, options),
    decode: (text) => parseJson(text, options),
  }
}

/** Strings as they are. */
export const textSerializer: TextSerializer = {
  contentType: 'text/plain',
  contentEncoding: 'utf-8',
  encode(value) {
    if (typeof value === 'string') return value
    throw new EncodeError('text/plain', `expected a string, not ${kindOf(value)}`)
  },
  decode: (text) => text,
}

/** Bytes as they are. */
export const rawSerializer: BinarySerializer = {
  contentType: 'application/data',
  contentEncoding: 'binary',
  encode(value) {
    if (value instanceof Uint8Array) return value
    throw new EncodeError('application/data', `expected a Uint8Array, not ${kindOf(value)}`)
  },
  decode: (bytes) => bytes,
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  return typeof value === 'object' ? Object.prototype.toString.call(value).slice(8, -1) : typeof value
}
