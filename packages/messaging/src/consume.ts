import type { AbortableOptions } from '@celery/promises'
import type { Message } from './message.ts'
import { MessageConsumer, type MessageConsumerOptions, warn } from './message-consumer.ts'

export interface ConsumeOptions extends Omit<MessageConsumerOptions, 'onError'> {
  /** Deals with one message. Settles it, or leaves that to the runner: acknowledged when it returns. */
  readonly handler: (message: Message, options: HandlerOptions) => void | Promise<void>
  /** Most messages that are dealt with at the same time. @defaultValue `1` */
  readonly concurrency?: number | undefined
  /** Most messages that are fetched and not settled. @defaultValue `concurrency` */
  readonly prefetch?: number | undefined
  /** How often a message comes again after its handler failed, before it goes to the dead-letter queue. @defaultValue `5` */
  readonly maxRedeliveries?: number | undefined
  /** Ends it: nothing more is taken, the running handlers are waited for. */
  readonly signal?: AbortSignal | undefined
  /** Told what fails: a connection, which is opened again, or the handler, and then with which message. @defaultValue `process.emitWarning` */
  readonly onError?: ((error: unknown, message?: Message) => void) | undefined
}

/** What a handler is told besides the message. */
export interface HandlerOptions extends AbortableOptions {
  /** Aborts when the consuming ends, for handlers that can be short about it. */
  readonly signal: AbortSignal
}

/**
 * Consumes queues until `signal` aborts, whatever becomes of the connection: kombu's `ConsumerMixin`. A handler that
 * throws gets its message again, `maxRedeliveries` times; then it goes to the dead-letter queue. Resolves when the last
 * handler has ended; rejects where the queues can never be consumed.
 */
export async function consume(options: ConsumeOptions): Promise<void> {
  const { concurrency = 1, onError = warn, signal } = options
  if (!(concurrency >= 1)) throw new RangeError(`concurrency must be 1 or more, got ${concurrency}`)
  const consumer = new MessageConsumer({ ...options, prefetch: options.prefetch ?? concurrency, onError })
  const ending = new AbortController()
  const end = (): void => {
    ending.abort(signal?.reason)
    void consumer.stop()
  }
  if (signal?.aborted === true) end()
  else signal?.addEventListener('abort', end, { once: true })
  const lane = async (): Promise<void> => {
    for (let message = await consumer.next(); message !== undefined; message = await consumer.next()) {
      await handle(message, { ...options, onError, signal: ending.signal })
    }
  }
  try {
    await Promise.all(Array.from({ length: concurrency }, lane))
  } finally {
    signal?.removeEventListener('abort', end)
    await consumer.close()
  }
}

type HandleOptions = Pick<ConsumeOptions, 'handler' | 'maxRedeliveries'> &
  Required<Pick<ConsumeOptions, 'onError'>> &
  HandlerOptions

async function handle(message: Message, options: HandleOptions): Promise<void> {
  const { handler, maxRedeliveries = 5, onError, signal } = options
  try {
    await handler(message, { signal })
    if (!message.isSettled) await message.ack()
  } catch (error) {
    onError?.(error, message)
    if (message.isSettled) return
    if (message.redeliveries < maxRedeliveries) await message.requeue()
    else
      await message.reject({ reason: `its handler failed: ${error instanceof Error ? error.message : String(error)}` })
  }
}
