/**
 * Runs on a worker thread: renews the leases of the worker's deliveries with a connection of its own, whatever user
 * code does to the main thread. Commands come from `LeaseKeeper`.
 */
import { parentPort, workerData } from 'node:worker_threads'
import type { DeliveryRef, KeepLeases, LeaseCommands } from '@celery/transport'

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
  | { readonly type: 'abandoned'; readonly tag: string }

export interface LeaseKeeperThreadData {
  readonly module: string
  readonly data: unknown
}

type Handler = (deliveries: readonly DeliveryRef[]) => void

async function run(port: NonNullable<typeof parentPort>, { module, data }: LeaseKeeperThreadData): Promise<void> {
  const ending = new AbortController()
  const limits = new Map<string, NodeJS.Timeout>()
  let hold: Handler = () => {}
  let release: Handler = () => {}
  let abandon: Handler = () => {}

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
        const giveUp = (): void => {
          limits.delete(delivery.tag)
          abandon([delivery])
          post(port, { type: 'abandoned', tag: delivery.tag })
        }
        clearTimeout(limits.get(delivery.tag))
        limits.set(delivery.tag, setTimeout(giveUp, command.expiresInMs))
        return undefined
      }
      case 'unlimit':
        clearTimeout(limits.get(command.delivery.tag))
        limits.delete(command.delivery.tag)
        return undefined
      case 'stop':
        for (const timer of limits.values()) clearTimeout(timer)
        ending.abort()
        port.close()
        return undefined
    }
  })

  const { keepLeases } = (await import(module)) as { keepLeases: KeepLeases }
  const keeping = keepLeases(data, commands)
  post(port, { type: 'ready' })
  await keeping
}

function post(port: NonNullable<typeof parentPort>, report: LeaseKeeperReport): void {
  port.postMessage(report)
}

if (parentPort !== null) void run(parentPort, workerData as LeaseKeeperThreadData)
