import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoryTransport } from '@celery/transport-memory'
import { sqlite } from '@celery/transport-sqlite'
import { onTestFinished } from 'vitest'
import { Connection, TransportRegistry } from '../src/index.ts'

/** A broker that a test has for itself: `connect` opens connections to it, which are closed when the test ends. */
export interface TestBroker {
  readonly connect: () => Connection
}

/** The brokers that every test of the API for programs runs on. */
export const brokers: readonly { readonly name: string; readonly open: () => TestBroker }[] = [
  { name: 'memory', open: () => connections('memory://', memoryRegistry()) },
  { name: 'sqlite', open: openSqlite },
]

function memoryRegistry(): TransportRegistry {
  const memory = memoryTransport()
  return new TransportRegistry().register('memory', async () => memory)
}

function openSqlite(): TestBroker {
  const folder = mkdtempSync(join(tmpdir(), 'celery-messaging-'))
  // Hooks run in reverse order: the connections are closed by then.
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const transports = new TransportRegistry().register('sqlite', async () => sqlite)
  return connections(`sqlite:///${join(folder, 'queue.db')}`, transports)
}

function connections(url: string, transports: TransportRegistry): TestBroker {
  return {
    connect() {
      const connection = new Connection({ urls: [url], transports })
      onTestFinished(() => connection.close())
      return connection
    },
  }
}
