/** Python refuses longer ones in text (`sys.set_int_max_str_digits`), and the cost grows faster than they do. */
const MAX_DIGITS = 4300
/** As many bits: 4300 * log2(10) / 8, rounded up. */
const MAX_BYTES = 1786

/** Two's complement, little-endian, as short as it gets; nothing for 0. */
export function encodeLong(value: bigint): Uint8Array {
  const bytes: number[] = []
  let rest = value
  while (rest !== 0n && rest !== -1n) {
    bytes.push(Number(rest & 0xffn))
    rest >>= 8n
  }
  const signBit = (bytes.at(-1) ?? 0) >> 7
  if (rest === -1n && signBit === 0) bytes.push(0xff)
  if (rest === 0n && signBit === 1) bytes.push(0)
  return Uint8Array.from(bytes)
}

/** @throws RangeError for too long ones. */
export function decodeLong(bytes: Uint8Array): number | bigint {
  if (bytes.byteLength > MAX_BYTES) throw new RangeError(`integer of more than ${MAX_BYTES} bytes`)
  if (bytes.byteLength === 0) return 0
  const hex = Buffer.from(bytes).reverse().toString('hex')
  return smallest(BigInt.asIntN(bytes.byteLength * 8, BigInt(`0x${hex}`)))
}

/** Of protocol 0: decimal digits, with an `L` behind in some. @throws SyntaxError, RangeError */
export function parseLong(line: string): number | bigint {
  const digits = line.replace(/L$/, '')
  if (!/^[+-]?\d+$/.test(digits)) throw new SyntaxError('bad integer')
  if (digits.length > MAX_DIGITS) throw new RangeError(`integer of more than ${MAX_DIGITS} digits`)
  return smallest(BigInt(digits.replace('+', '')))
}

function smallest(integer: bigint): number | bigint {
  const number = Number(integer)
  return Number.isSafeInteger(number) ? number : integer
}
