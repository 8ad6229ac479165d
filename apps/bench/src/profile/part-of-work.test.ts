import { expect, test } from 'vitest'
import { partOfWork } from './part-of-work.ts'

/** Frames, innermost first: `name@place`. */
function stack(...frames: readonly string[]) {
  return [...frames, '(root)@'].map((frame) => {
    const [functionName = '', url = ''] = frame.split('@')
    return { functionName, url }
  })
}

const base = 'file:///srv/celery/packages'

test.each([
  ['gc', ['(garbage collector)@']],
  ['rest', ['(program)@']],
  ['rest', ['processTicksAndRejections@node:internal/process/task_queues']],
  // A pipe to a child has something, and nothing of ours has been called yet.
  ['ipc', ['onStreamRead@node:internal/stream_base_commons']],
  ['ipc', [`write@node:fs`, `flush@${base}/process-pool/dist/frame.js`]],
  // The innermost code of ours decides, whoever called it.
  ['decode', [`decodeEnvelope@${base}/protocol/dist/envelope.js`, `push@${base}/process-pool/dist/frame.js`]],
  ['run', [`done@${base}/worker/dist/dispatcher.js`, `push@${base}/process-pool/dist/frame.js`]],
  ['run', ['noop@file:///srv/celery/apps/bench/dist/tasks.js']],
  ['settle', [`add@${base}/messaging/dist/settler.js`, `done@${base}/worker/dist/dispatcher.js`]],
] as const)('is %s for %j', (part, frames) => {
  expect(partOfWork(stack(...frames))).toBe(part)
})

test('is nothing where the thread had nothing to do', () => {
  expect(partOfWork(stack('(idle)@'))).toBeUndefined()
})

test('the driver settles where it was called to settle, and fetches elsewhere', () => {
  const claims = `endAll@${base}/transport-sqlite/dist/claims.js`
  const run = `values@${base}/sqlite/dist/libsql-driver.js`
  const commit = `#transact@${base}/transport-sqlite/dist/group-commit.js`
  expect(partOfWork(stack(run, claims, `settle@${base}/transport-sqlite/dist/settle-messages.js`, commit))).toBe(
    'settle',
  )
  expect(partOfWork(stack(run, claims, `take@${base}/transport-sqlite/dist/message-store.js`, commit))).toBe('fetch')
  expect(partOfWork(stack(run, commit, `start@${base}/worker/dist/worker.js`))).toBe('fetch')
})
