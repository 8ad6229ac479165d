/** Spoiled bytes straight at the decoders: each gives a value or one of its own errors, soon, and keeps no memory. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { CeleryError } from '@celery/promises'
import { decodeEnvelope, decodeMessageHeaders, decodeResultRecord, decodeTaskBody } from '@celery/protocol'
import { mutateBytes, Random } from '@celery/protocol/testkit'
import { type Codecs, compressionNames, loadCodecs, structuredSerializers } from './codecs.ts'
import { measure } from './cpu-time.ts'
import { fuzzDense } from './fuzz-dense.ts'
import { mostDecodeMs, mostRiseBytes } from './fuzz-worker.ts'
import { collectGarbage } from './heap-bytes.ts'
import { MemoryWatch } from './memory-watch.ts'
import { megabytes, oneLine, type Report } from './report.ts'
import { encodedSamples, recordedResults, recordedSeeds } from './seeds.ts'

export interface FuzzDecodersOptions {
  /** Inputs for each decoder. */
  readonly cases: number
  readonly seed: number
  /** Also tries what is made to be slow and large, and judges how slow and large it is. @defaultValue `false` */
  readonly dense?: boolean
}

interface Decoder {
  readonly name: string
  /** Good inputs. */
  readonly samples: readonly Uint8Array[]
  readonly decode: (bytes: Uint8Array) => unknown
  /** Codes of the errors that it may throw. */
  readonly errors: readonly string[]
}

/** Times that memory is looked at, for each decoder. */
const looks = 20

/** @param onProgress is told of each decoder that is done. */
export async function fuzzDecoders(options: FuzzDecodersOptions, onProgress: (line: string) => void): Promise<Report> {
  const codecs = await loadCodecs()
  const decoders = allDecoders(codecs)
  const reasons: string[] = []
  let slow = 0
  for (const [index, decoder] of decoders.entries()) {
    const random = new Random(options.seed + index)
    const memory = new MemoryWatch(looks / 4)
    let slowest = 0
    let refused = 0
    for (let number = 0; number < options.cases; number++) {
      const { bytes, step } = mutateBytes(random.pick(decoder.samples), random.below(2 ** 31))
      const [error, tookMs] = measure(() => errorOf(decoder, bytes))
      const tell = (reason: string): number =>
        reasons.push(`${decoder.name}: ${oneLine(reason)} (${step}): ${Buffer.from(bytes).toString('hex')}`)
      slowest = Math.max(slowest, tookMs)
      if (tookMs > mostDecodeMs) {
        slow++
        tell(`took ${Math.round(tookMs)} ms`)
      }
      if (error !== undefined) refused++
      if (error !== undefined && !decoder.errors.some((code) => CeleryError.is(error, code)))
        tell(`threw ${String(error)}`)
      // What failed gives its memory back in the next turn, as it does in a worker.
      if (number % 100 === 99) await nextTurn()
      if (number % Math.ceil(options.cases / looks) === 0) memory.note(new Map([[process.pid, keptBytes()]]))
    }
    if (memory.rise > mostRiseBytes) reasons.push(`${decoder.name}: memory grew by ${megabytes(memory.rise)}`)
    onProgress(
      `${decoder.name}: ${refused} refused of ${options.cases}, slowest ${slowest.toFixed(1)} ms, memory rose by ${megabytes(memory.rise)}`,
    )
  }
  const dense = options.dense ? fuzzDense(codecs, onProgress) : { cases: 0, slow: 0, reasons: [] }
  return {
    cases: options.cases * decoders.length + dense.cases,
    exits: 0,
    unhandled: 0,
    slow: slow + dense.slow,
    reasons: [...reasons, ...dense.reasons],
    remarks: [],
  }
}

/** Resident memory without what is only waiting to be collected. */
function keptBytes(): number {
  collectGarbage()
  return process.memoryUsage.rss()
}

function errorOf({ decode }: Decoder, bytes: Uint8Array): unknown {
  try {
    decode(bytes)
    return undefined
  } catch (error) {
    return error
  }
}

const decodeError = ['ERR_CELERY_DECODE']

function allDecoders({ accept, compressions, serializers }: Codecs): Decoder[] {
  const plain = encodedSamples(serializers, 'json')
  return [
    ...structuredSerializers.map((name): Decoder => {
      const { contentType } = serializers.encode(null, name)
      return {
        name,
        samples: encodedSamples(serializers, name),
        decode: (bytes) => serializers.decode(bytes, contentType, 'utf-8', { accept }),
        errors: decodeError,
      }
    }),
    ...compressionNames.map(
      (name): Decoder => ({
        name,
        samples: plain.map((bytes) => new Uint8Array(Buffer.from(compressions.compress(bytes, name).body))),
        decode: (bytes) => compressions.decompress(bytes, name),
        errors: decodeError,
      }),
    ),
    {
      name: 'envelope and headers',
      samples: recordedSeeds().map(({ envelope }) => Buffer.from(envelope, 'utf8')),
      decode: (bytes) => decodeMessageHeaders(decodeEnvelope(bytes), () => [[], {}, {}]),
      errors: ['ERR_CELERY_INVALID_ENVELOPE', 'ERR_CELERY_INVALID_TASK_MESSAGE'],
    },
    {
      name: 'task body',
      samples: recordedSeeds().map(({ envelope }) => bodyOf(envelope)),
      decode: (bytes) => decodeTaskBody(serializers.decode(bytes, 'application/json')),
      errors: [...decodeError, 'ERR_CELERY_INVALID_TASK_MESSAGE'],
    },
    {
      name: 'result record',
      samples: recordedResults(),
      decode: (bytes) => decodeResultRecord(bytes),
      errors: ['ERR_CELERY_INVALID_RESULT_RECORD'],
    },
  ]
}

function bodyOf(envelope: string): Uint8Array {
  return Buffer.from((JSON.parse(envelope) as { readonly body: string }).body, 'base64')
}
