import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deferred } from '@celery/promises'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { Celery, type Logger } from '../src/index.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'celery-paths-'))
})
afterEach(() => rm(folder, { recursive: true }))

function appOn(path: string): Celery {
  const url = `sqlite:///${path}`
  const app = new Celery('shop', { broker: url, backend: url, setAsCurrent: false })
  onTestFinished(() => app.close())
  return app
}

/** What is thrown, as a program that does not catch it shows it. */
async function told(promise: Promise<unknown>): Promise<string> {
  return String(await promise.catch((error: unknown) => error))
}

test('a path that can be no file is refused at once, with the reason, by all that open it', async () => {
  const app = appOn(folder)
  const reason = `${folder} is a folder, a device or the like, and no file: choose another path`
  const invalid = `InvalidBrokerUrlError: broker URL "sqlite://…" is not valid: ${reason}`
  expect(await told(app.sendTask('add', [1, 2]))).toBe(invalid)
  expect(await told(app.asyncResult('x').get())).toBe(
    `BackendUnavailableError: the result store at ${folder} is not available: ${reason}`,
  )
  expect(await told(app.startWorker())).toBe(invalid)
})

test('where the file may still come, sending and reading give up with the reason, and a worker says it and waits', async () => {
  const below = join(folder, 'file', 'queue.db')
  await writeFile(join(folder, 'file'), '')
  const app = appOn(below)
  const reason = `${below} cannot be opened: check that the folder exists and its permissions`
  expect(await told(app.sendTask('add', [1, 2]))).toBe(
    `OperationalError: the call of add was not sent: no connection to sqlite:///${below}: ${reason}`,
  )
  expect(await told(app.asyncResult('x').get())).toBe(
    `BackendUnavailableError: the result store at ${below} is not available: ${reason}`,
  )
  const line = deferred<string>()
  const silent = (): void => {}
  const logger: Logger = {
    ...{ debug: silent, info: silent, warning: silent, critical: silent },
    error: (text) => line.resolve(text),
    isEnabled: () => true,
  }
  const started = app.startWorker({ logger })
  expect(await line.promise).toContain(`cannot use the broker: no connection to sqlite:///${below}: ${reason}`)
  await rm(join(folder, 'file'))
  await (await started).stop()
})
