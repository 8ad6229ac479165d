import { expect, test } from 'vitest'
import { serveJobs } from './serve-jobs.ts'

test('jobs are served in children of a pool only', () => {
  expect(() => serveJobs(() => () => ({}))).toThrow(expect.objectContaining({ code: 'ERR_CELERY_NOT_IN_POOL' }))
})
