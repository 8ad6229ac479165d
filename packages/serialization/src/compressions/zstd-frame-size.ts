import { asBuffer } from '../text.ts'

const MAGIC = 0xfd2f_b528
const RLE_BLOCK = 1

/**
 * Checks that a zstd frame is whole, which Node 22 does not (it gives the beginning of a cut one without a word), and
 * says how many bytes will come out of it; `undefined` where the frame does not say (RFC 8878, 3.1.1).
 * @throws RangeError for what is no such frame, or cut.
 */
export function zstdFrameSize(bytes: Uint8Array): number | undefined {
  const buffer = asBuffer(bytes)
  if (buffer.length < 5 || buffer.readUInt32LE(0) !== MAGIC) throw new RangeError('no zstd frame')
  const descriptor = buffer.readUInt8(4)
  const isSingleSegment = (descriptor & 0x20) !== 0
  const sizeAt = 5 + (isSingleSegment ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] ?? 0)
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0
  let at = sizeAt + sizeBytes
  for (let isLast = false; !isLast; ) {
    // Reading beyond the end throws a RangeError.
    const header = buffer.readUIntLE(at, 3)
    isLast = (header & 1) === 1
    at += 3 + (((header >> 1) & 3) === RLE_BLOCK ? 1 : header >> 3)
  }
  const hasChecksum = (descriptor & 4) !== 0
  if (at + (hasChecksum ? 4 : 0) > buffer.length) throw new RangeError('the zstd frame is cut')
  return readSize(buffer, sizeAt, sizeBytes)
}

function readSize(buffer: Buffer, at: number, sizeBytes: number): number | undefined {
  if (sizeBytes === 0) return undefined
  if (sizeBytes === 8) return Number(buffer.readBigUInt64LE(at))
  // Of two bytes it begins where that of one ends.
  return buffer.readUIntLE(at, sizeBytes) + (sizeBytes === 2 ? 256 : 0)
}
