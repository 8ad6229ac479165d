import { randomUUID } from 'node:crypto'
import type { ResultBackend } from '../result-backend.ts'
import type { BackendCase, BackendUnderTest, CaseContext } from './backend-under-test.ts'

export interface RunCaseOptions {
  /** Milliseconds after which a step that waits counts as failed. @defaultValue `10_000` */
  readonly deadlineMs?: number
}

/** Opens a store, runs one case on it and releases everything. Rejects if the case failed. */
export async function runBackendCase(
  backendCase: BackendCase,
  open: () => Promise<BackendUnderTest>,
  options: RunCaseOptions = {},
): Promise<'passed' | 'not needed'> {
  await using store = await open()
  if (backendCase.needs?.(store.traits) === false) return 'not needed'

  const within = deadline(options.deadlineMs ?? 10_000)
  const connections: ResultBackend[] = []
  // Whole milliseconds not far from the real time, for stores that compare with it somewhere.
  let now = Date.now()
  const connect = async (): Promise<ResultBackend> => {
    const backend = await within('connecting', store.connect(store.traits.clock ? { now: () => now } : {}))
    connections.push(backend)
    return backend
  }
  const closeAll = async (): Promise<void> => {
    await within('closing', Promise.all(connections.splice(0).map((backend) => backend.close())))
  }
  const context: CaseContext = {
    backend: await connect(),
    connect,
    async reopen() {
      await closeAll()
      return connect()
    },
    id: (name = 'task') => `${name}-${randomUUID()}`,
    advance(ms) {
      now += ms
    },
    async commit(writes) {
      if (store.commit === undefined) throw new Error('the store under test prepares writes and has no commit()')
      await within('committing prepared writes', store.commit(writes))
    },
    async spoil(taskId) {
      if (store.spoil === undefined) throw new Error('the store under test is shared and has no spoil()')
      await within('writing what is no record', store.spoil(taskId))
    },
    within,
  }
  try {
    await backendCase.run(context)
  } finally {
    await closeAll()
  }
  return 'passed'
}

function deadline(deadlineMs: number): CaseContext['within'] {
  return async (what, promise) => {
    let timer: NodeJS.Timeout | undefined
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`timed out after ${deadlineMs} ms: ${what}`)), deadlineMs)
    })
    try {
      return await Promise.race([promise, timeout])
    } finally {
      clearTimeout(timer)
    }
  }
}
