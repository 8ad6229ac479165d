import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CorruptFrameError } from './errors.ts'
import { FrameDecoder, type FrameView, FrameWriter, MAX_MESSAGE_BYTES } from './frame.ts'

interface Message {
  readonly kind: number
  readonly seq: number
  readonly aux: number
  readonly header: unknown
  readonly body: string | Uint8Array
}

const uint32 = fc.integer({ min: 0, max: 0xff_ff_ff_ff })
const message: fc.Arbitrary<Message> = fc.record({
  kind: fc.integer({ min: 1, max: 127 }),
  seq: uint32,
  aux: uint32,
  header: fc.oneof(fc.constant(undefined), fc.jsonValue()),
  body: fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.uint8Array(),
    // Beyond the size from which bodies are passed uncopied, and beyond one slab.
    fc.integer({ min: 16_000, max: 80_000 }).map((length) => new Uint8Array(length).fill(length)),
    fc.integer({ min: 5_000, max: 30_000 }).map((length) => 'ß'.repeat(length)),
  ),
})

function read(frame: FrameView): Message {
  const { kind, seq, aux } = frame
  return { kind, seq, aux, header: frame.header(), body: frame.body() }
}

function comparable({ body, ...rest }: Message): unknown {
  return { ...rest, body: typeof body === 'string' ? body : Buffer.from(body).toString('hex') }
}

describe('frames', () => {
  test.each(['at once', 'later'])('arrive as they were sent, written %s, however the stream is cut', (when) => {
    fc.assert(
      fc.property(
        fc.array(message, { maxLength: 20 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 50_000 })),
        fc.infiniteStream(fc.integer({ min: 0, max: 3 })),
        (sent, cuts, pauses) => {
          const chunks: Buffer[] = []
          const writes: (() => void)[] = []
          const writer = new FrameWriter((bytes, done) => {
            // Only now are the bytes read, as by a socket that is full.
            const write = (): void => {
              chunks.push(Buffer.from(bytes))
              done()
            }
            if (when === 'at once') write()
            else writes.push(write)
          })
          for (const { kind, seq, aux, header, body } of sent) {
            writer.append(kind, seq, aux, header === undefined ? '' : JSON.stringify(header), body)
            const pause = pauses.next().value
            if (pause === 0) writer.flush()
            for (const write of writes.splice(0, pause)) write()
          }
          writer.flush()
          for (const write of writes) write()
          const received: Message[] = []
          const decoder = new FrameDecoder((frame) => received.push(read(frame)))
          const stream = Buffer.concat(chunks)
          for (let at = 0; at < stream.length; ) {
            // The receiver's buffer is overwritten by the next chunk, as the child's is.
            const chunk = Buffer.from(stream.subarray(at, at + (cuts.next().value as number)))
            decoder.push(chunk)
            at += chunk.length
            chunk.fill(0xee)
          }
          expect(received.map(comparable)).toEqual(
            sent.map((one) =>
              comparable({
                ...one,
                header: one.header === undefined ? undefined : JSON.parse(JSON.stringify(one.header)),
              }),
            ),
          )
        },
      ),
      { numRuns: 60 },
    )
  })

  test('survive being cut into single bytes', () => {
    const chunks: Buffer[] = []
    const writer = new FrameWriter((bytes) => chunks.push(Buffer.from(bytes)))
    for (let seq = 0; seq < 3; seq += 1) writer.append(2, seq, 7, '{"a":1}', 'body')
    writer.flush()
    expect(chunks.length).toBe(1)
    const received: Message[] = []
    const decoder = new FrameDecoder((frame) => received.push(read(frame)))
    for (const byte of Buffer.concat(chunks)) decoder.push(Buffer.of(byte))
    expect(received).toEqual([0, 1, 2].map((seq) => ({ kind: 2, seq, aux: 7, header: { a: 1 }, body: 'body' })))
  })

  test('are gathered into one write until they are flushed', () => {
    let writes = 0
    const writer = new FrameWriter(() => {
      writes += 1
    })
    for (let seq = 0; seq < 100; seq += 1) writer.append(2, seq, 0, '{}', 'x'.repeat(100))
    expect(writes).toBe(0)
    writer.flush()
    writer.flush()
    expect(writes).toBe(1)
  })
})

describe('nonsense', () => {
  function frame(length: number, headerLength: number, header: string): Buffer {
    const bytes = Buffer.alloc(17 + header.length)
    bytes.writeUInt32LE(length, 0)
    bytes[4] = 2
    bytes.writeUInt32LE(headerLength, 13)
    bytes.write(header, 17)
    return bytes
  }

  test.each([
    ['a length beyond the limit', frame(MAX_MESSAGE_BYTES + 1, 0, '')],
    ['a length too small for a frame', frame(3, 0, '')],
    ['a header longer than its frame', frame(15, 3, '{}')],
    ['a header that is not JSON', frame(15, 2, '{]')],
    ['text', Buffer.from('Error: something went wrong\n    at somewhere')],
  ])('is refused: %s', (_, bytes) => {
    const decoder = new FrameDecoder((view) => void read(view))
    expect(() => decoder.push(bytes)).toThrow(CorruptFrameError)
    const slowly = new FrameDecoder((view) => void read(view))
    expect(() => {
      for (const byte of bytes) slowly.push(Buffer.of(byte))
    }).toThrow(CorruptFrameError)
  })

  test('never makes anything else than frames or that error', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 8 }), (chunks) => {
        const decoder = new FrameDecoder((view) => void read(view))
        try {
          for (const chunk of chunks) decoder.push(Buffer.from(chunk))
        } catch (error) {
          expect(error).toBeInstanceOf(CorruptFrameError)
        }
      }),
    )
  })
})
