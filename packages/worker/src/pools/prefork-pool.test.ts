import type { JobOutcome, PoolJob, ProcessPool } from '@celery/process-pool'
import { expect, test } from 'vitest'
import { PreforkPool, type PreforkPoolOptions } from './prefork-pool.ts'
import type { JobResult, TaskJob } from './task-pool.ts'

/** What a task ends with whose process says `outcome`. */
function resultOf(outcome: JobOutcome): JobResult | undefined {
  const submit = (job: PoolJob): void => job.onDone(outcome)
  const options = { concurrency: 1, init: { hostname: 'here' } } as PreforkPoolOptions
  const pool = new PreforkPool(options, 'prefork', () => ({ submit }) as unknown as ProcessPool)
  let result: JobResult | undefined
  const onDone = (given: JobResult): void => {
    result = given
  }
  const origin = { hostname: 'here', queue: 'q', redeliveries: 0 }
  pool.submit({ name: 'add', origin, envelope: '{}', onDone } as unknown as TaskJob)
  return result
}

const process = { pid: 1, runtimeMs: 1 }

test.each([
  [
    'MessageTooLargeError',
    'message of 300 bytes is over the limit of 200 bytes',
    'result and follow-ups together are too large to leave its process (message of 300 bytes is over the limit of 200 bytes); return less, or a reference to where the data is',
  ],
  [
    'EncodeError',
    'cannot write the headers of a message to "q".x as application/json: too deep',
    'cannot write the headers of a message to "q".x as application/json: too deep; send plain data that is less deep',
  ],
  ['TypeError', 'x is not a function', 'TypeError: x is not a function'],
])(
  'P-2 a process that lives on after a %s has lost no task: it cannot tell what came of it',
  (name, message, reason) => {
    expect(resultOf({ type: 'failed', error: { name, message }, ...process })).toEqual({ type: 'untold', reason })
  },
)

test('P-2 a reply that cannot be read ends its task all the same', () => {
  const message = { headers: '[', properties: '{}', body: '', contentType: 'text/plain', contentEncoding: 'utf-8' }
  const header = { state: 'SUCCESS', runtime: 1, text: '', publish: [{ exchange: '', routingKey: 'q', message }] }
  expect(resultOf({ type: 'reply', header, body: '', ...process })).toMatchObject({
    type: 'untold',
    reason: expect.stringContaining('cannot read application/json'),
  })
})
