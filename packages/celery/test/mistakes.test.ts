import { describe, expect, test } from 'vitest'

const transports = 'memory, redis, redis+cluster, redis+socket, rediss, rediss+cluster, sentinel, socket, sqlite, unix'

/** What somebody new to it does wrong, and the one message that says what, where and what to do about it. */
const mistakes: readonly (readonly [program: string, message: string])[] = [
  [
    'a broker that no package is there for',
    `UnknownTransportError: no transport for broker URLs that begin with "amqp://": there is no driver for RabbitMQ in this release; known are ${transports}; correct the URL, or register a driver for it`,
  ],
  [
    'a result store that no package is there for',
    'UnknownBackendError: no result backend is registered for "mongodb://": there is no driver for MongoDB in this release (registered are memory, cache+memory, sqlite, redis, rediss, sentinel, redis+cluster, rediss+cluster, redis+socket, socket, unix), check the URL or register its driver',
  ],
  [
    'a slip in the scheme of the broker',
    `UnknownTransportError: no transport for broker URLs that begin with "sqlit://"; known are ${transports}; correct the URL, or register a driver for it`,
  ],
  [
    'a broker without a scheme',
    'InvalidBrokerUrlError: broker URL is not valid: it has no scheme; write for example redis://localhost:6379/0 for a server, or sqlite:///queue.db for a file',
  ],
  [
    'a broker file that cannot be written',
    'OperationalError: the call of add was not sent: no connection to sqlite:////proc/nowhere/queue.db: /proc/nowhere/queue.db cannot be opened: check that the folder exists and its permissions',
  ],
  [
    'results asked for where nothing keeps them',
    'NoBackendError: no result backend is configured, so results cannot be read; set resultBackend, to "memory://" or "sqlite:///path" for example',
  ],
  ['a slip in a setting', 'ImproperlyConfigured: there is no setting "resultExpire"; did you mean resultExpires?'],
  [
    'a slip in a setting that is assigned',
    'ImproperlyConfigured: there is no setting "taskAckLate"; did you mean taskAcksLate?',
  ],
  [
    'a setting of the wrong type',
    "ImproperlyConfigured: the setting resultExpires must be a number of seconds, 0 or more or null, not 'soon'",
  ],
  [
    'a negative number of processes in the settings',
    'ImproperlyConfigured: the setting workerConcurrency must be a whole number, 0 or more, not -2',
  ],
  ['a slip in an option of the app', 'ImproperlyConfigured: an app has no option "borker"; did you mean broker?'],
  [
    'a configuration module that is not there',
    'ModuleNotFoundError: cannot find the module "./celery.confg.js" to import; looked for CWD/celery.confg.js; give its path from the working directory, or the name of an installed package',
  ],
  [
    'a configuration module that is not awaited',
    'ImproperlyConfigured: the settings are still being loaded from FIXTURES/config.mjs; await configFromObject() before the app is used',
  ],
  [
    'a task without a name',
    "ImproperlyConfigured: a task needs a name before its function: app.task('proj.fn', fn); it is what travels",
  ],
  [
    'a task with its options in front of the function',
    `ImproperlyConfigured: the task "add" needs a function after its name: app.task('add', async (x) => …)`,
  ],
  [
    'a task that was called instead of named',
    `ImproperlyConfigured: the task "add" needs a function after its name: app.task('add', async (x) => …)`,
  ],
  [
    'a task that is a generator',
    'ImproperlyConfigured: the task "list" cannot be a generator, whose values would go nowhere: return them in a list',
  ],
  [
    'two tasks of one name',
    'AlreadyRegistered: a task named "add" is already registered in this app; give one of the two another name',
  ],
  [
    'a slip in an option of a task',
    'ImproperlyConfigured: the task "add" has an option "maxRetry" that does nothing; did you mean maxRetries?',
  ],
  [
    'an option of a task as in Python',
    'ImproperlyConfigured: the task "add" has an option "max_retries" that does nothing; did you mean maxRetries?',
  ],
  [
    'a rate limit in words',
    `ImproperlyConfigured: the option rateLimit of the task "add" must be a number per second, or '10/s', '10/m', '10/h', not '10 per minute'`,
  ],
  ['too many arguments', 'TaskArgumentsError: add() takes at most 2 positional arguments but 3 were given'],
  ['too few arguments', "TaskArgumentsError: add() missing 1 required positional argument: 'y'"],
  [
    'keyword arguments of a task without names for them',
    "TaskArgumentsError: add() got an unexpected keyword argument 'y'; declare the task with params: [...] to name its parameters",
  ],
  [
    'a keyword argument that the task does not have',
    "TaskArgumentsError: add() got an unexpected keyword argument 'z'",
  ],
  ['arguments that are not in a list', 'TaskOptionError: args of a call of add must be a list, such as [2, 2], not 1'],
  [
    'a function as an argument',
    'EncodeError: cannot write argument 2 of a call of map as application/json: a function is not data',
  ],
  [
    'a promise as an argument, for want of an await',
    'EncodeError: cannot write argument 1 of a call of add as application/json: a Promise has no form in JSON; convert it first',
  ],
  [
    'a Map as an argument',
    'EncodeError: cannot write argument 1 of a call of add as application/json: a Map has no form in JSON; convert it first',
  ],
  [
    'an argument that holds itself',
    'EncodeError: cannot write argument 1 at .items[0].order.items[0].order… of a call of pay as application/json: nested deeper than 100, or in itself',
  ],
  [
    'an argument of 20 MB',
    'TaskMessageTooLargeError: the message of a call of store has N bytes, and receivers take no more than 16777216; store the data elsewhere and send a reference to it',
  ],
  [
    'a slip in an option of a call',
    'UnknownCallOptionError: a call of add has no option "countDown"; did you mean countdown? Properties of the message that are yours go into properties: {…}',
  ],
  [
    'an option of a call as in Python',
    'UnknownCallOptionError: a call of add has no option "routing_key"; did you mean routingKey? Properties of the message that are yours go into properties: {…}',
  ],
  [
    'a time that is no time',
    "TaskOptionError: eta of a call of add must be a Date or an ISO 8601 time, not 'tomorrow'",
  ],
  ['an invalid Date', 'TaskOptionError: eta of a call of add must be a Date or an ISO 8601 time, not Invalid Date'],
  ['a countdown in words', "TaskOptionError: countdown of a call of add must be a finite number of seconds, not '3'"],
  ['a queue without a name', "TaskOptionError: queue of a call of add must be 1 to 255 printable characters, not ''"],
  [
    'a serializer that there is not',
    'UnknownSerializerError: no serializer "jsn" is registered (known: json, yaml, msgpack, text, raw)',
  ],
  [
    'pickle',
    'UnknownSerializerError: no serializer "pickle" is registered (known: json, yaml, msgpack, text, raw): a pickle can run code in every Python program that reads it; set the senders to json, yaml or msgpack, or register pickleSerializer(), which reads plain data only and runs nothing',
  ],
  [
    'a compression that there is not',
    'UnknownCompressionError: no compression "gzp" is registered (known: zlib, gzip, brotli, zstd, zstandard, bzip2, bzip, lzma, xz)',
  ],
  [
    'a queue that there is not, where none may be made',
    'QueueNotFoundError: there is no queue "vidoe" (taskQueues has video), and taskCreateMissingQueues is off; did you mean "video"?',
  ],
  [
    'a task instead of a signature in a chain',
    'TypeError: chain() takes signatures, not the task add itself: call its s() with the arguments',
  ],
  [
    'a task instead of a signature as a link',
    'TypeError: link takes signatures, not the task add itself: call its s() with the arguments',
  ],
  [
    'a worker that does not have the task',
    'NotRegistered: the worker that got the call knows no task "task.add"; have it import the module that declares the task, and start it again',
  ],
  [
    'a worker of another queue',
    'ResultTimeoutError: no result of add[ID] after 0.2 s: its state is PENDING, nothing was heard of it; is a worker running and consuming the queue "celery", and does the task keep its result?',
  ],
  ['a slip in an option of get()', 'TypeError: get() has no option "timeot"; did you mean timeout?'],
  ['a number in place of the options of get()', 'TypeError: get() takes options: get({ timeout: 10 })'],
  [
    'waiting for a task inside a task',
    "RemoteTaskError: task failed with SyncSubtaskError('never wait for a result inside a task (outer): every slot of the pool could be waiting; use pipe() or link(), or set taskDisableSyncSubtasks to false')",
  ],
  [
    'a task that returns what is no data',
    "RemoteTaskError: task failed with EncodeError('cannot write the result of add as application/json: a function is not data')",
  ],
  ['a task that throws what is no error', 'Error: out of stock'],
  [
    'a retry of a task that was called as a function',
    'Retry: add was called as a function, and only what a worker runs can be retried; send it with delay() or applyAsync()',
  ],
  [
    'an app that was closed',
    'AppClosedError: the app "shop" was closed: it sends nothing and reads no results any more; close it at the end of the program',
  ],
  [
    'a slip in an option of the worker',
    'ImproperlyConfigured: there is no worker option "concurency"; did you mean concurrency?',
  ],
  [
    'a negative number of processes',
    'ImproperlyConfigured: the worker option concurrency must be a whole number, 0 or more, not -2',
  ],
  [
    'one queue that is not in a list',
    "ImproperlyConfigured: the worker option queues must be a list of at least one queue name, not 'video'",
  ],
  ['a pool that there is not', `ImproperlyConfigured: there is no pool "prefrok"; did you mean prefork?`],
  [
    'processes that do not know the module of the app',
    `ImproperlyConfigured: the prefork pool must know which module creates the app: startWorker({ pool: "prefork", appModule: import.meta.url })`,
  ],
  [
    'a module of the app that is not there',
    "ImproperlyConfigured: the worker option appModule must be the URL of the module that creates the app (import.meta.url there), and its file must exist, not './tasks.mjs'",
  ],
  [
    'a module with tasks that is not there',
    'ModuleNotFoundError: cannot find the module "./taks.mjs" to import; looked for CWD/taks.mjs; give its path from the working directory, or the name of an installed package',
  ],
  [
    'a content type that may be accepted, misspelt',
    'ImproperlyConfigured: the setting acceptContent: no serializer "jsn" is registered (known: json, yaml, msgpack, text, raw)',
  ],
  [
    'a signature without an app',
    'DetachedSignatureError: the signature of add() belongs to no application and cannot be sent; make it with app.signature() or task.s()',
  ],
]

const fixtures = new URL('./fixtures/mistakes/', import.meta.url).href
const { programs } = (await import(`${fixtures}programs.mjs`)) as {
  readonly programs: Readonly<Record<string, () => Promise<void>>>
}

describe('a mistake in a program', () => {
  test.each(mistakes)('%s', async (program, message) => {
    const error = await programs[program]?.().then(
      () => new Error('nothing was wrong'),
      (thrown: unknown) => thrown,
    )
    expect(told(error)).toBe(message)
  })

  test('each program is one of them', () => {
    expect(mistakes.map(([program]) => program)).toEqual(Object.keys(programs))
  })
})

/** As a program that does not catch it prints it, without what differs between two runs. */
function told(error: unknown): string {
  const { message, name } = error as Error
  return `${name}: ${message}`
    .replaceAll(fixtures, 'FIXTURES/')
    .replaceAll(`${process.cwd()}/`, 'CWD/')
    .replace(/has \d+ bytes/, 'has N bytes')
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'ID')
}
