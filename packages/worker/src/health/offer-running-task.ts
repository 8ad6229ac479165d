import { currentTask } from '@celery/app'
import { runningTaskKey } from './find-running-task.ts'

/**
 * Lets other threads find out which task runs on this one, also amid a loop that never ends: the engine's inspector, which can
 * be asked at any time, asks for what is put here.
 */
export function offerRunningTask(): void {
  Object.defineProperty(globalThis, Symbol.for(runningTaskKey), {
    configurable: true,
    value: (): string => {
      const request = currentTask()?.request
      return request === undefined ? '' : `${request.task}[${request.id}]`
    },
  })
}
