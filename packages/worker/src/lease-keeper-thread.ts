/**
 * Runs on a worker thread: renews the leases of the worker's deliveries with a connection of its own, whatever user
 * code does to the main thread. Commands come from `LeaseKeeper`.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '@celery/promises'
import type { DeliveryRef, KeepLeases, LeaseCommands } from '@celery/transport'
import { limitKey } from './lease-limits.ts'

/** What `LeaseKeeper` sends. */
export type LeaseKeeperCommand =
  | { readonly type: 'hold'; readonly deliveries: readonly DeliveryRef[] }
  | { readonly type: 'release'; readonly deliveries: readonly DeliveryRef[] }
  | { readonly type: 'limit'; readonly delivery: DeliveryRef; readonly expiresInMs: number }
  | { readonly type: 'unlimit'; readonly delivery: DeliveryRef }
  | { readonly type: 'stop' }

/** What the thread answers. */
export type LeaseKeeperReport =
  | { readonly type: 'ready' }
  | { readonly type: 'error'; readonly message: string }
  | { readonly type: 'abandoned'; readonly delivery: DeliveryRef }

export interface LeaseKeeperThreadData {
  readonly module: string
  readonly data: unknown
  /** Becomes 1, with a notification, when the thread ends. In shared memory. */
  readonly ended: Int32Array
}

/** Milliseconds that a keeper gets to end by itself. */
const endTimeoutMs = 1_000

type Handler = (deliveries: readonly DeliveryRef[]) => void

async function run(
  port: NonNullable<typeof parentPort>,
  { module, data, ended }: LeaseKeeperThreadData,
): Promise<void> {
  process.on('exit', () => {
    Atomics.store(ended, 0, 1)
    Atomics.notify(ended, 0)
  })
  const ending = new AbortController()
  const limits = new Map<string, () => void>()
  let hold: Handler = () => {}
  let release: Handler = () => {}
  let abandon: Handler = () => {}
  let isReady = false

  const commands: LeaseCommands = {
    signal: ending.signal,
    onHold: (handler) => {
      hold = handler
    },
    onRelease: (handler) => {
      release = handler
    },
    onAbandon: (handler) => {
      abandon = handler
    },
    ready: () => {
      if (!isReady) post(port, { type: 'ready' })
      isReady = true
    },
    report: (error) => post(port, { type: 'error', message: error instanceof Error ? error.message : String(error) }),
  }

  port.on('message', (command: LeaseKeeperCommand) => {
    switch (command.type) {
      case 'hold':
        return hold(command.deliveries)
      case 'release':
        return release(command.deliveries)
      case 'limit': {
        const { delivery } = command
        const key = limitKey(delivery)
        const giveUp = (): void => {
          limits.delete(key)
          abandon([delivery])
          post(port, { type: 'abandoned', delivery })
        }
        limits.get(key)?.()
        // A limit may be longer than a timer of Node's can be.
        limits.set(key, systemClock.schedule(command.expiresInMs, giveUp))
        return undefined
      }
      case 'unlimit': {
        const key = limitKey(command.delivery)
        limits.get(key)?.()
        limits.delete(key)
        return undefined
      }
      case 'stop':
        for (const cancel of limits.values()) cancel()
        ending.abort()
        port.close()
        // From inside, so never amid a call into a native library.
        setTimeout(() => process.exit(), endTimeoutMs).unref()
        return undefined
    }
  })

  const { keepLeases } = (await import(module)) as { keepLeases: KeepLeases }
  await keepLeases(data, commands)
}

function post(port: NonNullable<typeof parentPort>, report: LeaseKeeperReport): void {
  port.postMessage(report)
}

if (parentPort !== null) void run(parentPort, workerData as LeaseKeeperThreadData)
