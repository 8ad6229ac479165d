import { appendFileSync } from 'node:fs'
import type { TaskLog } from '@celery/app'
import { writeToStderr } from '@celery/app/internal'

/**
 * What tasks of this process log goes to the end of a file. It is opened for each line, so that one that was moved away is
 * made anew. A file that cannot be written costs lines, which is said once on standard error, and no task.
 */
export function logTasksTo(log: TaskLog, path: string): void {
  let isFailing = false
  log.write = (record) => {
    try {
      appendFileSync(path, log.format(record, new Date()), { mode: 0o644 })
      isFailing = false
    } catch (error) {
      if (!isFailing) writeToStderr(`celery: cannot write to the log file ${path}: ${(error as Error).message}\n`)
      isFailing = true
    }
  }
}
