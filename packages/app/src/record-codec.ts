/**
 * Result records as the store keeps them: what `resultSerializer` makes of a record and nothing else, as Celery has it, so
 * that Python reads it. Such a record does not say what it is. Formats are told apart by how they begin, and only those
 * that are accepted are tried.
 *
 * With `resultCompression`, which Celery knows for messages only, a line goes before the compressed bytes:
 *
 *     celery-record <content type> <compression>\n
 */

import { CeleryError } from '@celery/promises'
import {
  type ErrorRegistry,
  type ExceptionForm,
  exceptionForm,
  InvalidResultRecordError,
  type ResultRecord,
  readResultRecord,
  resultRecordData,
} from '@celery/protocol'
import type { CompressionRegistry, SerializerRegistry } from '@celery/serialization'
import type { Settings } from './settings.ts'

export interface RecordCodecOptions {
  readonly settings: Readonly<Settings>
  readonly serializers: SerializerRegistry
  readonly compressions: CompressionRegistry
  readonly errors: ErrorRegistry
}

type Stored = string | Uint8Array

/** A stored record and what it may be, likeliest first. */
interface FoundRecord {
  readonly body: Stored
  readonly contentTypes: readonly string[]
  readonly compression: string | undefined
}

interface AcceptedTypes {
  readonly from: readonly string[]
  readonly own: string
  readonly types: ReadonlySet<string>
}

const JSON_TYPE = 'application/json'
const YAML_TYPE = 'application/x-yaml'
const MSGPACK_TYPE = 'application/x-msgpack'
const PICKLE_TYPE = 'application/x-python-serialize'
/** Formats whose beginning is known. */
const FAMILIAR: ReadonlySet<string> = new Set([JSON_TYPE, YAML_TYPE, MSGPACK_TYPE, PICKLE_TYPE])

const MARK = 'celery-record '
const LONGEST_MARK = 600

export class RecordCodec {
  readonly #options: RecordCodecOptions
  #accept: AcceptedTypes | undefined

  constructor(options: RecordCodecOptions) {
    this.#options = options
  }

  /** Brings into memory what records are written with; `undefined` where that is there. Rejects with CodecUnavailableError. */
  prepareToWrite(): Promise<void> | undefined {
    const { resultCompression, resultSerializer } = this.#options.settings
    return this.#load([resultSerializer], resultCompression)
  }

  /** @throws EncodeError where the format cannot hold the result. */
  encode(record: ResultRecord): Stored {
    const { compressions, serializers, settings } = this.#options
    const { fleetVersion, resultCompression, resultSerializer } = settings
    const { body, contentType } = serializers.encode(resultRecordData(record, fleetVersion), resultSerializer)
    if (resultCompression === undefined) return body
    const packed = compressions.compress(body, resultCompression)
    return Buffer.concat([Buffer.from(`${MARK}${contentType} ${packed.contentType}\n`), packed.body])
  }

  /** What a task threw, with arguments that the format cannot hold as text. Never throws. */
  exceptionForm(thrown: unknown): ExceptionForm {
    const { errors, serializers, settings } = this.#options
    // The record around it nests as well.
    return exceptionForm(thrown, errors, (arg) => serializers.encode([[[arg]]], settings.resultSerializer))
  }

  /** @throws EncodeError where the format cannot hold the value. */
  assertHolds(value: unknown): void {
    this.#options.serializers.encode(value, this.#options.settings.resultSerializer)
  }

  /**
   * Reads a record, whatever it was written with. A promise only where a format has to be brought into memory, which it is
   * when the record can be nothing likelier.
   * @throws ContentDisallowedError, InvalidResultRecordError; CodecUnavailableError
   */
  decode(stored: Stored): ResultRecord | Promise<ResultRecord> {
    const { body, compression, contentTypes } = this.#find(stored)
    const read = (): ResultRecord | Promise<ResultRecord> =>
      this.#readAs(contentTypes, this.#unpacked(body, compression))
    const loading = this.#load([], compression)
    return loading === undefined ? read() : loading.then(read)
  }

  #find(stored: Stored): FoundRecord {
    const marked = readMark(stored)
    const accept = this.#accepted()
    const { serializers } = this.#options
    const candidates = marked === undefined ? this.#likely(stored) : marked.contentTypes
    const contentTypes = candidates.filter((contentType) => accept.has(contentType))
    if (contentTypes.length === 0) serializers.assertAccepted(candidates[0] as string, accept)
    return { body: marked?.body ?? stored, contentTypes, compression: marked?.compression }
  }

  /** One that is none of the familiar formats, a signed one for example, is never taken for one of them. */
  #likely(stored: Stored): readonly string[] {
    const own = this.#ownType()
    return FAMILIAR.has(own) ? (typesByBeginning(stored) ?? [YAML_TYPE, own]) : [own]
  }

  #unpacked(body: Stored, compression: string | undefined): Stored {
    if (compression === undefined) return body
    try {
      return this.#options.compressions.decompress(body, compression)
    } catch (error) {
      throw asInvalidRecord(error)
    }
  }

  /** @param earlier - Why it is none of those tried before. */
  #readAs(contentTypes: readonly string[], plain: Stored, earlier?: unknown): ResultRecord | Promise<ResultRecord> {
    const { serializers } = this.#options
    const [contentType, ...others] = contentTypes
    const read = (): ResultRecord | Promise<ResultRecord> => {
      let failure = earlier
      try {
        return readResultRecord(serializers.decode(plain, contentType as string, 'utf-8', { accept: this.#accepted() }))
      } catch (error) {
        failure ??= error
      }
      if (others.length > 0) return this.#readAs(others, plain, failure)
      throw asInvalidRecord(failure)
    }
    const loading = this.#load([contentType as string], undefined)
    return loading === undefined ? read() : loading.then(read)
  }

  /** What the program writes itself it reads as well, unless it is told what to read. */
  #accepted(): ReadonlySet<string> {
    const { serializers, settings } = this.#options
    const { acceptContent, resultAcceptContent, resultSerializer } = settings
    const from = resultAcceptContent ?? acceptContent
    if (this.#accept?.from === from && this.#accept.own === resultSerializer) return this.#accept.types
    const names = resultAcceptContent ?? [...acceptContent, resultSerializer]
    this.#accept = { from, own: resultSerializer, types: serializers.acceptList(names) }
    return this.#accept.types
  }

  #ownType(): string {
    const { serializers, settings } = this.#options
    const { resultSerializer } = settings
    return resultSerializer === 'json' ? JSON_TYPE : ([...serializers.acceptList([resultSerializer])][0] as string)
  }

  #load(serializerNames: readonly string[], compression: string | undefined): Promise<void> | undefined {
    const { compressions, serializers } = this.#options
    const loading = serializerNames.filter((name) => !serializers.isLoaded(name)).map((name) => serializers.load(name))
    if (compression !== undefined && !compressions.isLoaded(compression)) loading.push(compressions.load(compression))
    return loading.length === 0 ? undefined : Promise.all(loading).then(() => undefined)
  }
}

/** What is wrong with the bytes is wrong with the record; everything else stays what it is. */
function asInvalidRecord(error: unknown): unknown {
  if (!CeleryError.is(error, 'ERR_CELERY_DECODE')) return error
  return new InvalidResultRecordError('record', error.message, { cause: error })
}

/** What a record must be that begins so. YAML may begin as JSON does, and ours always does; it may also begin otherwise. */
function typesByBeginning(stored: Stored): readonly string[] | undefined {
  const [first = 0, second = 0] = [codeAt(stored, 0), codeAt(stored, 1)]
  if (first === 0x7b) return [JSON_TYPE, YAML_TYPE]
  if (first === 0x80 && second >= 2 && second <= 5) return [PICKLE_TYPE]
  const isMap = (first >= 0x80 && first <= 0x8f) || first === 0xde || first === 0xdf
  return isMap ? [MSGPACK_TYPE] : undefined
}

function codeAt(stored: Stored, index: number): number | undefined {
  return typeof stored === 'string' ? stored.charCodeAt(index) : stored[index]
}

function readMark(stored: Stored): FoundRecord | undefined {
  if (codeAt(stored, 0) !== MARK.charCodeAt(0)) return undefined
  const bytes = typeof stored === 'string' ? Buffer.from(stored) : stored
  const head = Buffer.from(bytes.subarray(0, LONGEST_MARK)).toString('latin1')
  const end = head.indexOf('\n')
  if (!head.startsWith(MARK) || end === -1) return undefined
  const [contentType = '', compression = ''] = head.slice(MARK.length, end).split(' ')
  return { body: bytes.subarray(end + 1), contentTypes: [contentType], compression }
}
