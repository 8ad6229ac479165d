import {
  type BodyCodecs,
  type CompressionRegistry,
  type MessageContent,
  readBody,
  type SerializerRegistry,
} from '@celery/serialization'
import { listOf } from './list-of.ts'
import type { Settings } from './settings.ts'
import { ImproperlyConfiguredError } from './setup-errors.ts'

export interface AppCodecsOptions {
  readonly settings: Readonly<Settings>
  readonly serializers: SerializerRegistry
  readonly compressions: CompressionRegistry
}

/** The settings that name a serializer or a compression. */
const serializerSettings = ['acceptContent', 'resultAcceptContent', 'taskSerializer', 'resultSerializer'] as const
const compressionSettings = ['taskCompression', 'resultCompression'] as const

/** Reads message bodies, and brings formats into memory before they are needed: most programs use JSON alone. */
export class AppCodecs {
  readonly #options: AppCodecsOptions
  #reading: { readonly from: readonly string[]; readonly codecs: BodyCodecs } | undefined

  constructor(options: AppCodecsOptions) {
    this.#options = options
  }

  /** Brings every format that the settings name into memory. @throws ImproperlyConfiguredError for one that cannot be had. */
  async load(): Promise<void> {
    const { compressions, serializers, settings } = this.#options
    for (const name of serializerSettings)
      for (const format of listOf(settings[name])) await loadFor(name, serializers, format)
    for (const name of compressionSettings)
      for (const format of listOf(settings[name])) await loadFor(name, compressions, format)
  }

  /**
   * Brings into memory what a message is to be written with; `undefined` where that is there.
   * Rejects with CodecUnavailableError.
   */
  prepareToWrite(serializer: string, compression: string | undefined): Promise<void> | undefined {
    const { compressions, serializers } = this.#options
    return whenAll(
      serializers.isLoaded(serializer) ? undefined : serializers.load(serializer),
      compression === undefined || compressions.isLoaded(compression) ? undefined : compressions.load(compression),
    )
  }

  /**
   * Brings into memory what a message is to be read with; `undefined` where that is there, and for what is not accepted.
   * Rejects with CodecUnavailableError.
   */
  prepareToRead({ contentType, headers }: Pick<MessageContent, 'headers' | 'contentType'>): Promise<void> | undefined {
    const { compression } = headers
    if (contentType === 'application/json' && compression === undefined) return undefined
    if (!this.#codecs.accept.has(contentType)) return undefined
    return this.prepareToWrite(contentType, typeof compression === 'string' ? compression : undefined)
  }

  /** Refuses what `acceptContent` does not name, before anything of the message is looked at. @throws ContentDisallowedError */
  assertAccepted(contentType: string): void {
    this.#options.serializers.assertAccepted(contentType, this.#codecs.accept)
  }

  /**
   * The body of a message.
   * @throws ContentDisallowedError, UnknownSerializerError, UnknownCompressionError, CodecUnavailableError, DecodeError
   */
  read(message: MessageContent): unknown {
    return readBody(message, this.#codecs)
  }

  get #codecs(): BodyCodecs {
    const { compressions, serializers, settings } = this.#options
    const from = settings.acceptContent
    if (this.#reading?.from !== from) {
      this.#reading = { from, codecs: { serializers, compressions, accept: serializers.acceptList(from) } }
    }
    return this.#reading.codecs
  }
}

/** One promise of those that there are; `undefined` where there is none, so that nobody waits for nothing. */
function whenAll(...promises: readonly (Promise<void> | undefined)[]): Promise<void> | undefined {
  const pending = promises.filter((promise) => promise !== undefined)
  return pending.length === 0 ? undefined : Promise.all(pending).then(() => undefined)
}

async function loadFor(setting: string, registry: { load(name: string): Promise<void> }, name: string): Promise<void> {
  try {
    await registry.load(name)
  } catch (error) {
    throw new ImproperlyConfiguredError(setting, `the setting ${setting}: ${(error as Error).message}`)
  }
}
