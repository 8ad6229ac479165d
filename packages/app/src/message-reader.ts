import {
  decodeMessageHeaders,
  decodeTaskBody,
  type TaskBody,
  type TaskHeaders,
  type WireMessage,
} from '@celery/protocol'
import { localTime, type MessageContent } from '@celery/serialization'
import type { AppCodecs } from './app-codecs.ts'
import type { Settings } from './settings.ts'

export interface MessageReaderOptions {
  readonly settings: Readonly<Pick<Settings, 'enableUtc' | 'timezone'>>
  readonly codecs: AppCodecs
}

/** Reads received messages as far as somebody needs them: a worker their headers, the process that runs a task its arguments. */
export class MessageReader {
  readonly #options: MessageReaderOptions
  readonly #bodyOf = (message: MessageContent): unknown => this.readBody(message)
  readonly #times = { fromLocal: (localMs: number): number => this.#fromLocal(localMs) }

  constructor(options: MessageReaderOptions) {
    this.#options = options
  }

  /**
   * Brings into memory what it takes to read a message; `undefined` where that is there. Rejects with CodecUnavailableError.
   * A worker loads what its settings name before; any compression may come.
   */
  prepare(message: Pick<MessageContent, 'headers' | 'contentType'>): Promise<void> | undefined {
    return this.#options.codecs.prepareToRead(message)
  }

  /** Refuses a message whose format is not accepted, before anything of it is read. @throws ContentDisallowedError */
  assertAccepted(message: Pick<MessageContent, 'contentType'>): void {
    this.#options.codecs.assertAccepted(message.contentType)
  }

  /**
   * The headers of a task message of any protocol; they may stand in its body.
   * @throws InvalidTaskMessageError, and what `readBody` throws.
   */
  readHeaders(message: WireMessage): TaskHeaders {
    return decodeMessageHeaders(message, this.#bodyOf, this.#times)
  }

  /** The body of a message, as far as its serializer goes. @throws ContentDisallowedError, DecodeError and others of codecs */
  readBody(message: MessageContent): unknown {
    return this.#options.codecs.read(message)
  }

  /** The arguments of a task, and what follows from it. @throws InvalidTaskMessageError, and what `readBody` throws. */
  readTask(message: MessageContent): TaskBody {
    return decodeTaskBody(this.readBody(message))
  }

  /** As in Celery, a time of protocol 1 whose sender does not use UTC is one of the app's zone. */
  #fromLocal(localMs: number): number {
    const { enableUtc, timezone } = this.#options.settings
    if (timezone === undefined && enableUtc) return localMs
    return localTime(timezone ?? new Intl.DateTimeFormat().resolvedOptions().timeZone)(localMs)
  }
}
