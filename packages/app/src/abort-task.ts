import type { ResultBackend } from '@celery/backend'
import type { RecordCodec } from './record-codec.ts'
import { timeToLive } from './result-records.ts'

/** The state of a task that is asked to end by itself; Celery's `celery.contrib.abortable`. */
export const ABORTED = 'ABORTED'

export interface AbortOptions {
  readonly records: RecordCodec
  readonly backend: () => Promise<ResultBackend>
  /** Seconds that results are kept; 0 and `null` are for ever. */
  readonly resultExpires: number | null
}

/** Stores for a task that it is to end; nothing changes where it has ended. */
export async function abortTask(taskId: string, { backend, records, resultExpires }: AbortOptions): Promise<void> {
  await records.prepareToWrite()
  const nothing = { result: null, traceback: null, children: [], date_done: null }
  const record = records.encode({ ...nothing, status: ABORTED, task_id: taskId })
  const store = await backend()
  await store.store([{ taskId, state: ABORTED, record, ...timeToLive(resultExpires) }])
}
