/** The app of the worker. Its tasks are called as those of the recorded messages, and return what they were given. */
import { pickleSerializer } from '@celery/serialization'
import { sqlite } from '@celery/transport-sqlite'
import { Celery, currentTask } from 'celery'
import { plantBug } from './bugs.ts'
import { appendNote } from './notes.ts'
import { acceptContent, readSetup, taskWithoutResult } from './setup.ts'

const setup = readSetup()

export const app: Celery = new Celery('fuzz', {
  broker: setup.url,
  backend: setup.url,
  settings: { acceptContent: [...acceptContent] },
})
app.serializers.register('pickle', pickleSerializer())
app.transports.register('sqlite', async () => plantBug(sqlite, app, setup))
app.transports.register('redis', async () => plantBug((await import('@celery/transport-redis')).redis, app, setup))
app.backends.register('redis', async () => (await import('@celery/backend-redis')).redis)

// A monitor, not a handler: the process ends as it would without it.
process.on('uncaughtExceptionMonitor', (error, origin) =>
  appendNote(setup.directory, { what: 'uncaught', text: `${origin}: ${error.stack ?? String(error)}` }),
)
app.signals.taskReceived.connect(({ request }) => appendNote(setup.directory, { what: 'received', text: request.id }))
app.signals.taskRevoked.connect(({ request }) => appendNote(setup.directory, { what: 'revoked', text: request.id }))

function echo(...args: unknown[]): unknown[] {
  appendNote(setup.directory, { what: 'run', text: currentTask()?.request.id ?? '' })
  return args
}

// Half of them acknowledge early, as is the default, and half late.
app.task('wapp.add', echo, { acksLate: true })
app.task('wapp.mul', (x: unknown, y: unknown) => echo(x, y), { params: ['x', 'y'] })
app.task('wapp.xsum', echo)
app.task('wapp.noop', echo, { acksLate: true })
app.task(taskWithoutResult, echo, { ignoreResult: true })
app.task('fuzz.good', (number: number) => number)
