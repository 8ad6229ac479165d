import { decodeEnvelope, readTaskId, type WireMessage } from '@celery/protocol'
import { type Database, openDatabase, type Statement } from '@celery/sqlite'
import { type Delivery, deadLetterQueue } from '@celery/transport'
import type { VirtualBroker } from '@celery/transport/virtual'

/** What lies where in one queue. */
export interface QueueContents {
  readonly delayed: ReadonlySet<string>
  /** Ready, or held by the worker. */
  readonly left: ReadonlySet<string>
}

/** Looks into the broker's file from outside: it reads the tables, because the broker tells nobody what others hold. */
export class QueueView implements Disposable {
  readonly #database: Database
  readonly #contents: Statement

  private constructor(database: Database) {
    this.#database = database
    this.#contents = database.prepare(contentsSql)
  }

  /** The file must have its tables already. */
  static async open(path: string): Promise<QueueView> {
    return new QueueView(await openDatabase(path))
  }

  contents(): QueueContents {
    const delayed = new Set<string>()
    const left = new Set<string>()
    for (const [tag, isDelayed] of this.#contents.values([])) (isDelayed === 1 ? delayed : left).add(String(tag))
    return { delayed, left }
  }

  [Symbol.dispose](): void {
    this.#database.close()
  }
}

const contentsSql = `
  SELECT tag, EXISTS (SELECT 1 FROM delayed WHERE message = m.id)
  FROM message m JOIN queue q ON q.id = m.queue WHERE q.name = 'celery'`

/** What lay with the dead letters. */
interface DeadLetters {
  readonly count: number
  /** Why they are there, by tag and by the id of the task where they have one. */
  readonly reasons: ReadonlyMap<string, string>
}

/** Takes the dead letters out of their queue. */
export async function takeDeadLetters(broker: VirtualBroker): Promise<DeadLetters> {
  const reasons = new Map<string, string>()
  const queue = deadLetterQueue('celery')
  const { ready: count } = await broker.declareQueue({ name: queue })
  for (let left = count; left > 0; ) {
    const deliveries = await broker.fetch([queue], { max: left, signal: AbortSignal.timeout(30_000) })
    for (const { deadReason, payload, tag } of deliveries) {
      const { id, reason = deadReason ?? '' } = readCopy(payload)
      reasons.set(tag, reason)
      if (id !== undefined) reasons.set(id, reason)
    }
    await broker.settle(deliveries.map((delivery) => ({ delivery })))
    left -= deliveries.length
  }
  return { count, reasons }
}

/** A task that had been acknowledged early is there as a copy, whose headers say why. */
function readCopy(payload: Delivery['payload']): { readonly id?: string | undefined; readonly reason?: string } {
  const { message } = decodeDelivery(payload)
  if (message === undefined) return {}
  const reason = message.headers['x-celery-dead-reason']
  return { id: readTaskId(message.headers), ...(typeof reason === 'string' ? { reason } : {}) }
}

function decodeDelivery(payload: Delivery['payload']): { readonly message?: WireMessage } {
  try {
    return { message: typeof payload === 'string' || payload instanceof Uint8Array ? decodeEnvelope(payload) : payload }
  } catch {
    // That is why it is there.
    return {}
  }
}
