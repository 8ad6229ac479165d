import { isUtf8 } from 'node:buffer'
import { asBuffer } from '../text.ts'

const LONE = /\p{Surrogate}/u

/**
 * UTF-8 in which halves of surrogate pairs have the three bytes that Unicode denies them, as Python's pickle writes them
 * ("surrogatepass"): names of files on Linux may hold such.
 */
export function encodeSurrogates(text: string): Uint8Array {
  if (!LONE.test(text)) return Buffer.from(text, 'utf8')
  return Buffer.concat(
    text.split(/(\p{Surrogate})/u).map((part) => {
      if (!LONE.test(part)) return Buffer.from(part, 'utf8')
      const unit = part.charCodeAt(0)
      return Buffer.from([0xe0 | (unit >> 12), 0x80 | ((unit >> 6) & 0x3f), 0x80 | (unit & 0x3f)])
    }),
  )
}

/** `undefined` where it is neither UTF-8 nor that. */
export function decodeSurrogates(bytes: Uint8Array): string | undefined {
  const buffer = asBuffer(bytes)
  if (isUtf8(buffer)) return buffer.toString('utf8')
  const parts: string[] = []
  let start = 0
  for (let at = buffer.indexOf(0xed); at !== -1; at = buffer.indexOf(0xed, at + 1)) {
    const second = buffer[at + 1] ?? 0
    const third = buffer[at + 2] ?? 0
    if (second < 0xa0 || second > 0xbf || third < 0x80 || third > 0xbf) continue
    const before = buffer.subarray(start, at)
    if (!isUtf8(before)) return undefined
    parts.push(before.toString('utf8'), String.fromCharCode(0xd000 | ((second & 0x3f) << 6) | (third & 0x3f)))
    start = at + 3
  }
  const rest = buffer.subarray(start)
  return isUtf8(rest) ? parts.join('') + rest.toString('utf8') : undefined
}
