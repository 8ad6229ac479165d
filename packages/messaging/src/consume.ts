import { type AbortableOptions, abortable, unlessAborted } from '@celery/promises'
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
  /** Ends it: nothing more is taken, the running handlers are waited for, and the broker's answers for 5 s at most. */
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
 * Consumes queues until `signal` aborts or the connection's owner closes that, however often the broker is lost: kombu's
 * `ConsumerMixin`. A handler that throws gets its message again, `maxRedeliveries` times; then it goes to the dead-letter
 * queue. Resolves when the last handler has ended and the broker knows of it, or was away for 5 s; rejects where the queues
 * can never be consumed.
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
      const settle = await handle(message, { ...options, onError, signal: ending.signal })
      // At the end the consumer waits for the answer, and not for ever.
      await abortable(settle(), ending.signal).catch(unlessAborted(ending.signal))
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

/** Resolves, when the handler is through, to what is left to be said of the message. */
async function handle(message: Message, options: HandleOptions): Promise<() => Promise<boolean>> {
  const { handler, maxRedeliveries = 5, onError, signal } = options
  let settle = (): Promise<boolean> => message.ack()
  try {
    await handler(message, { signal })
  } catch (error) {
    onError?.(error, message)
    const reason = `its handler failed: ${error instanceof Error ? error.message : String(error)}`
    settle = () => (message.redeliveries < maxRedeliveries ? message.requeue() : message.reject({ reason }))
  }
  return async () => !message.isSettled && settle()
}
