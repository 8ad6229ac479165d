/**
 * Runs on a worker thread: answers how the worker is, also while its main loop is blocked. What is to be known is asked of
 * the main thread; where that says nothing, the last that it said counts, and what shared memory tells.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { BlockedLoop, type LoopMemory } from './blocked-loop.ts'
import type { HealthAddressError } from './health-address-error.ts'
import { HealthServer, type Listening } from './health-server.ts'
import type { HealthPlace } from './health-socket.ts'
import { type MainThreadAnswer, type MainThreadQuestion, MainThreadSource } from './main-thread-source.ts'

export interface HealthThreadData {
  readonly memory: LoopMemory
  readonly place: HealthPlace | undefined
  readonly port: number | undefined
  readonly host: string
}

/** What the main thread sends. */
export type HealthThreadCommand = MainThreadAnswer | { readonly type: 'stop' }

/** What the thread sends. */
export type HealthThreadMessage =
  | MainThreadQuestion
  | ({ readonly type: 'listening' } & Listening)
  | { readonly type: 'failed'; readonly address: string; readonly why: string }

async function run(port: NonNullable<typeof parentPort>, data: HealthThreadData): Promise<void> {
  const send = (message: HealthThreadMessage): void => port.postMessage(message)
  const source = new MainThreadSource(new BlockedLoop(data.memory), send)
  const server = new HealthServer({ source, place: data.place, port: data.port, host: data.host })
  port.on('message', (command: HealthThreadCommand) => {
    if (command.type === 'answer') return source.answered(command)
    void server.stop().finally(() => port.close())
    return undefined
  })
  try {
    send({ type: 'listening', ...(await server.start()) })
  } catch (error) {
    const { address, why } = error as HealthAddressError
    send({ type: 'failed', address, why })
    port.close()
  }
}

if (parentPort !== null) void run(parentPort, workerData as HealthThreadData)
