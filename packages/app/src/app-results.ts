import type { ResultBackend } from '@celery/backend'
import type { ErrorRegistry } from '@celery/protocol'
import { ResultReader } from '@celery/results'
import { abortTask } from './abort-task.ts'
import { SyncSubtaskError } from './call-errors.ts'
import type { Configuration } from './configuration.ts'
import { workerTask } from './current-task.ts'
import type { RecordCodec } from './record-codec.ts'

export interface AppResultsOptions {
  readonly conf: Configuration
  readonly errors: ErrorRegistry
  readonly records: RecordCodec
  readonly backend: () => Promise<ResultBackend>
}

/** Reads the results of an app. When that is closed, those who wait hear so from the app, as those do who send. */
export class AppResults extends ResultReader {
  readonly #appClosed: AbortSignal

  constructor({ backend, conf, errors, records }: AppResultsOptions, appClosed: AbortSignal) {
    super({
      backend,
      errors,
      decodeRecord: (record) => records.decode(record),
      showsRemoteTracebacks: () => conf.taskRemoteTracebacks,
      abort: (taskId) => abortTask(taskId, { records, backend, resultExpires: conf.resultExpires }),
      assertMayBlock: () => assertOutsideOfTasks(conf),
    })
    this.#appClosed = appClosed
  }

  override get closing(): AbortSignal {
    return this.#appClosed
  }
}

/** @throws SyncSubtaskError */
function assertOutsideOfTasks(conf: Configuration): void {
  const running = workerTask()
  if (running !== undefined && conf.taskDisableSyncSubtasks) throw new SyncSubtaskError(running.request.task)
}
