import { brotliCompressSync, brotliDecompressSync, deflateSync, unzipSync } from 'node:zlib'
import type { Compression } from '../compression.ts'

/**
 * What kombu means by both `gzip` and `zlib`: a zlib stream (78 9c …), in spite of the header value. Real gzip files,
 * which others may take that value to mean, are read too.
 */
export const zlibCompression: Compression = {
  contentType: 'application/x-gzip',
  compress: (bytes) => deflateSync(bytes),
  decompress: (bytes, maxBytes) => unzipSync(bytes, { maxOutputLength: maxBytes }),
}

export const brotliCompression: Compression = {
  contentType: 'application/x-brotli',
  compress: (bytes) => brotliCompressSync(bytes),
  decompress: (bytes, maxBytes) => brotliDecompressSync(bytes, { maxOutputLength: maxBytes }),
}
