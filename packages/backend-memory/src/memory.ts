import { type BackendDriver, globalKeyPrefix, keyValueBackend } from '@celery/backend'
import { MemoryStore, type MemoryStoreOptions } from './memory-store.ts'

export interface MemoryBackendOptions {
  /** Reads the time; for tests. @defaultValue `Date.now` */
  readonly now?: () => number
}

/** A driver with stores of its own, which end with it: for tests. */
export function memoryBackend({ now }: MemoryBackendOptions = {}): BackendDriver {
  return driverOver(new Map(), now)
}

/** Result store inside this process: `memory://name`, where connections with the same name share their records. */
export const memory: BackendDriver = driverOver(undefined, undefined)

function driverOver(tables: MemoryStoreOptions['tables'], now: (() => number) | undefined): BackendDriver {
  return {
    name: 'memory',
    async open(url, options) {
      options?.signal?.throwIfAborted()
      const store = new MemoryStore(storeName(url), { now: options?.now ?? now, tables })
      return keyValueBackend(store, { keyPrefix: globalKeyPrefix(options?.transportOptions) })
    },
  }
}

/** `tests` of `memory://tests`, as the memory broker reads it: a host knows no case, the path after it does. */
function storeName(url: string): string {
  const [, host = '', path = ''] = /^[^:]+:\/\/([^/?]*)(?:\/([^?]*))?/.exec(url) ?? []
  return path === '' ? host.toLowerCase() : `${host.toLowerCase()}/${path}`
}
