import { type BackendDriver, globalKeyPrefix, keyValueBackend } from '@celery/backend'
import { MemoryStore } from './memory-store.ts'

/** Result store inside this process: `memory://name`, where connections with the same name share their records. */
export const memory: BackendDriver = {
  name: 'memory',
  async open(url, options) {
    options?.signal?.throwIfAborted()
    const store = new MemoryStore(storeName(url), { now: options?.now })
    return keyValueBackend(store, { keyPrefix: globalKeyPrefix(options?.transportOptions) })
  },
}

/** `tests` of `memory://tests`, as the memory broker reads it: a host knows no case, the path after it does. */
function storeName(url: string): string {
  const [, host = '', path = ''] = /^[^:]+:\/\/([^/?]*)(?:\/([^?]*))?/.exec(url) ?? []
  return path === '' ? host.toLowerCase() : `${host.toLowerCase()}/${path}`
}
