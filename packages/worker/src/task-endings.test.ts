import type { Celery } from '@celery/app'
import type { TraceOutcome } from '@celery/app/internal'
import { expect, test } from 'vitest'
import type { ActiveTask } from './active-task.ts'
import { CompletedTasks } from './completed-tasks.ts'
import { consoleLogger } from './logger.ts'
import { TaskEndings } from './task-endings.ts'

const write = { taskId: 'a', state: 'SUCCESS', record: '{}' }

test.each([
  ['is known to have succeeded where nothing is to be stored', undefined, []],
  ['whose result is still to be stored is asked after in the store', write, ['a']],
])('WORK-048 a task %s', async (_name, toStore, expected) => {
  const asked: string[] = []
  const fetch = async (ids: readonly string[]) => {
    asked.push(...ids)
    return new Map()
  }
  const completed = new CompletedTasks(async () => ({ fetch }) as never)
  const endings = new TaskEndings({
    app: {} as Celery,
    logger: consoleLogger({ level: 'critical' }),
    completed,
    isCold: () => false,
    finish: () => {},
    release: () => {},
  })
  const task = { id: 'a', title: 'add[a]', delivery: {}, strategy: { acksOnFailure: true } } as unknown as ActiveTask
  const outcome = { state: 'SUCCESS', text: '5', runtimeMs: 1, write: toStore } as unknown as TraceOutcome
  endings.done(task, { type: 'outcome', outcome })
  expect(await completed.has('a')).toBe(toStore === undefined)
  expect(asked).toEqual(expected)
})
