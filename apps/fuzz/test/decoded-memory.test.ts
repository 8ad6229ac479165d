/** What a body of a few bytes may become: the bound that docs/compatibility.md names. */
import { DecodeError } from '@celery/serialization'
import { describe, expect, test } from 'vitest'
import { loadCodecs } from '../src/codecs.ts'
import { type Body, copyingPickles, denseBodies } from '../src/dense-bodies.ts'
import { heapBytes } from '../src/heap-bytes.ts'

const KIB = 1024
const MIB = 1024 * KIB

const { accept, serializers } = await loadCodecs()

/** What the value of a body keeps stays below a limit; or it is refused. */
async function expectToKeepLess(format: string, body: Uint8Array, limit: number): Promise<void> {
  const { contentType } = serializers.encode(null, format)
  const before = heapBytes()
  let value: unknown
  try {
    value = serializers.decode(body, contentType, 'binary', { accept })
  } catch (error) {
    expect(error).toBeInstanceOf(DecodeError)
  }
  // The engine may hold on to what it has just worked with for a while.
  await expect.poll(() => heapBytes() - before, { timeout: 20_000 }).toBeLessThan(limit)
  // In use until here.
  expect([value]).toHaveLength(1)
}

const bodies = Object.entries(denseBodies).flatMap(([format, each]) =>
  Object.entries(each).map(([what, body]): [string, string, Body] => [format, what, body]),
)

/** Times its size that a body keeps at most, in the densest form that each format has. */
const MOST_TIMES: Readonly<Record<string, number>> = { json: 32, yaml: 32, msgpack: 110, pickle: 180 }

describe('what a body becomes is bounded (O-9)', () => {
  test.each(bodies)('%s: %s', async (format, _, body) => {
    const sent = body(100 * KIB)
    await expectToKeepLess(format, sent, MOST_TIMES[format]! * sent.byteLength)
  })

  const large = bodies.map(([format, what, body]): [string, string, Uint8Array] => [
    format,
    what,
    body(format === 'json' ? 4 * MIB : MIB),
  ])
  const copying = Object.entries(copyingPickles).map(([what, body]): [string, string, Uint8Array] => [
    'pickle',
    what,
    body(256 * KIB),
  ])
  test.each([...large, ...copying])('%s: %s, far more of it', async (format, _, sent) => {
    // An object whose names no other has takes more than is counted.
    await expectToKeepLess(format, sent, 1.5 * (64 * MIB + 8 * sent.byteLength))
  })
})
