import { Random } from './random.ts'

/** What became of good bytes, and what was done to them, in one line. */
export interface ByteMutation {
  readonly bytes: Buffer
  readonly step: string
}

/** Bytes cut off, changed or put in. Pure: the same bytes and seed give the same mutation. */
export function mutateBytes(bytes: Uint8Array, seed: number): ByteMutation {
  return damage(bytes, new Random(seed))
}

/** As {@link mutateBytes}, with numbers from a source that goes on. */
export function damage(bytes: Uint8Array, random: Random): ByteMutation {
  const at = random.below(bytes.length + 1)
  switch (random.below(3)) {
    case 0:
      return { bytes: Buffer.from(bytes.subarray(0, at)), step: `cut off after ${at} of ${bytes.length} bytes` }
    case 1: {
      const copy = Buffer.from(bytes)
      const indices = Array.from({ length: 1 + random.below(8) }, () => random.below(copy.length))
      for (const index of indices) copy[index] = random.below(256)
      return { bytes: copy, step: `bytes ${indices.join(' ')} changed` }
    }
    default: {
      const more = Uint8Array.from({ length: 1 + random.below(16) }, () => random.below(256))
      const longer = Buffer.concat([bytes.subarray(0, at), more, bytes.subarray(at)])
      return { bytes: longer, step: `bytes ${more.join(' ')} put in at ${at}` }
    }
  }
}
