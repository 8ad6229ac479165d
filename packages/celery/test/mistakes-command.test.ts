import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CeleryProcess } from './scene.ts'

const header = "import { Celery } from 'celery'\n"
const app = `${header}export const app = new Celery('shop')\n`

/** A project as somebody new to it may have it. */
const files: Readonly<Record<string, string>> = {
  'package.json': '{ "type": "module" }',
  'tasks.js': `${app}app.task('tasks.add', (x, y) => x + y, { params: ['x', 'y'] })\n`,
  'not-exported.js': `${header}const app = new Celery('shop')\n`,
  'in-a-function.js': `${header}export const makeApp = () => new Celery('shop')\n`,
  'two-apps.js': `${header}export const one = new Celery('one')\nexport const two = new Celery('two')\n`,
  'throws.js': `${app}\nthrow new Error('PAYMENT_KEY is not set')\n`,
  'starts-worker.js': `${app}await app.startWorker({ appModule: import.meta.url, pool: 'prefork', concurrency: 1 })\n`,
  'starts-worker.ts': `${app}await app.startWorker({ appModule: import.meta.url, pool: 'prefork', concurrency: 1 })\n`,
  'syntax.ts': `${header}export const app = new Celery('shop'\n`,
  'slip.js': `${header}export const app = new Celery('shop', { settings: { taskAckLate: true } })\n`,
  'rabbit.js': `${header}export const app = new Celery('shop', { broker: 'amqp://user:secret@localhost//' })\n`,
  'file.js': `${header}export const app = new Celery('shop', { broker: 'sqlite:////proc/nowhere/queue.db' })\n`,
  'include.js': `${header}export const app = new Celery('shop', { include: ['./taks.js'] })\n`,
  'no-module.js': `import './databse.js'\n${app}`,
  'no-package.js': `import 'left-pad-but-not-there'\n${app}`,
  'common.js': "const { Celery } = require('celery')\nmodule.exports = { app: new Celery('shop') }\n",
  'twice.js': `${app}app.task('add', () => 1)\napp.task('add', () => 2)\n`,
  // As after a build, where one path still names what it was made of.
  'built.js': `${header}export const app = new Celery('shop', { include: ['./typed.ts'] })\n`,
  'configured.js': `${app}await app.configFromObject('./settings.ts')\n`,
  'imports-typed.js': `${app}import './typed.ts'\n`,
  'typed.ts': `import { app } from './built.js'\napp.task('add', (x: number, y: number): number => x + y)\n`,
  'settings.ts': 'export const taskTimeLimit: number = 10\n',
  'limits.js': `${app}app.task('add', () => 1, { softTimeLimit: 5, timeLimit: 1 })\n`,
  'common/package.json': '{ "type": "commonjs" }',
  'common/tasks.js': app,
  'includes-common.js': `${header}export const app = new Celery('shop', { include: ['./common/tasks.js'] })\n`,
  'rate.js': `${app}app.task('add', () => 1, { rateLimit: 'often' })\n`,
}

const commonJs =
  'it is read as CommonJS: put "type": "module" into the nearest package.json, or name the file .mts or .mjs'

/** Some versions of Node warn of it in words of their own first. */
const withoutWarnings = { NODE_NO_WARNINGS: '1' }

interface Mistake {
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly status: number
  /** Standard error, line by line. A regular expression stands for what Node or its loaders say in their own words. */
  readonly says: readonly (string | RegExp)[]
}

/** What is typed wrong, and the one message that says what, where and what to do about it. */
const mistakes: readonly Mistake[] = [
  {
    args: ['worker'],
    status: 64,
    says: ['celery: which app? Name its module with -A, for example: celery -A ./tasks.ts worker'],
  },
  {
    args: ['-A', 'task.js', 'worker'],
    status: 64,
    says: [
      'celery: cannot find the app module "task.js" (-A). Looked for:',
      '  FOLDER/task.js',
      '  FOLDER/task.js.ts',
      '  FOLDER/task.js.mts',
      '  FOLDER/task.js.js',
      '  FOLDER/task.js.mjs',
      '  FOLDER/task.js.cjs',
      '  FOLDER/task',
      '  FOLDER/task.ts',
      '  FOLDER/task.mts',
      '  FOLDER/task.js',
      '  FOLDER/task.mjs',
      '  FOLDER/task.cjs',
      'Did you mean -A tasks.js?',
    ],
  },
  {
    args: ['-A', 'tasks.js', 'wroker'],
    status: 64,
    says: ["error: unknown command 'wroker'", '(Did you mean worker?)', '(--help shows what there is)'],
  },
  {
    args: ['-A', 'tasks.js:ap', 'worker'],
    status: 64,
    says: [
      `celery: FOLDER/tasks.js exports no Celery app named "ap"; it exports app. Export it: export const app = new Celery('name')`,
    ],
  },
  {
    args: ['-A', 'not-exported.js', 'worker'],
    status: 64,
    says: [
      "celery: FOLDER/not-exported.js exports no Celery app; it exports nothing. Export it: export const app = new Celery('name')",
    ],
  },
  {
    args: ['-A', 'two-apps.js', 'worker'],
    status: 64,
    says: ['celery: FOLDER/two-apps.js exports several apps: one, two. Name one: -A FOLDER/two-apps.js:one'],
  },
  {
    args: ['-A', 'throws.js', 'worker'],
    status: 1,
    says: [
      'celery: cannot load FOLDER/throws.js:',
      'Error: PAYMENT_KEY is not set',
      '    at file://FOLDER/throws.js:4:7',
    ],
  },
  {
    args: ['-A', 'starts-worker.js', 'worker'],
    status: 1,
    says: [
      'celery: no broker is configured; using the embedded one in FOLDER/.celery/queue.db',
      'celery: cannot load FOLDER/starts-worker.js:',
      'PoolStartError: the pool prefork cannot start: file://FOLDER/starts-worker.js cannot be imported: ImproperlyConfigured: a pool process cannot start a worker: name a module that only creates the app and its tasks, and start the worker in another one',
    ],
  },
  {
    args: ['-A', 'starts-worker.ts', 'worker'],
    status: 1,
    says: [
      'celery: no broker is configured; using the embedded one in FOLDER/.celery/queue.db',
      'celery: cannot load FOLDER/starts-worker.ts:',
      'PoolStartError: the pool prefork cannot start: file://FOLDER/starts-worker.ts cannot be imported: ImproperlyConfigured: a pool process cannot start a worker: name a module that only creates the app and its tasks, and start the worker in another one',
    ],
  },
  {
    args: ['-A', 'tasks.js', '--config', 'nope', 'worker'],
    status: 1,
    says: [
      'celery: cannot find the module "nope" to import; looked for FOLDER/nope, then for a package of that name installed in FOLDER; give its path from the working directory, or the name of an installed package',
      'The module is that of --config on the command line.',
    ],
  },
  {
    args: ['-A', 'tasks.js', 'call', 'tasks.add'],
    env: { CELERY_CONFIG_MODULE: './nope.js:production' },
    status: 1,
    says: [
      'celery: cannot find the module "./nope.js" to import; looked for FOLDER/nope.js; give its path from the working directory, or the name of an installed package',
      'The module is that of CELERY_CONFIG_MODULE in the environment.',
    ],
  },
  {
    args: ['-A', 'tasks.js', 'worker', '--time-limit', '1', '--soft-time-limit', '5'],
    status: 1,
    says: ['celery: the worker option softTimeLimit must be at most its option timeLimit, which is 1, not 5'],
  },
  {
    args: ['-A', 'limits.js', 'worker'],
    status: 1,
    says: [
      'celery: cannot load FOLDER/limits.js:',
      'ImproperlyConfigured: the option softTimeLimit of the task "add" must be at most its timeLimit, which is 1, not 5',
      '    at file://FOLDER/limits.js:3:5',
    ],
  },
  {
    args: ['-A', 'common/tasks.js', 'worker'],
    env: withoutWarnings,
    status: 1,
    says: [
      'celery: cannot load FOLDER/common/tasks.js:',
      'FOLDER/common/tasks.js:1',
      "import { Celery } from 'celery'",
      '^^^^^^',
      '',
      'SyntaxError: Cannot use import statement outside a module',
      commonJs,
    ],
  },
  {
    args: ['-A', 'includes-common.js', 'worker'],
    env: withoutWarnings,
    status: 1,
    says: [`celery: cannot import FOLDER/common/tasks.js: Cannot use import statement outside a module; ${commonJs}`],
  },
  {
    args: ['-A', 'syntax.ts', 'worker'],
    status: 1,
    says: ['celery: cannot load FOLDER/syntax.ts:', /Error: /, /syntax\.ts|Expected/],
  },
  {
    args: ['-A', 'slip.js', 'worker'],
    status: 1,
    says: [
      'celery: cannot load FOLDER/slip.js:',
      'ImproperlyConfigured: there is no setting "taskAckLate"; did you mean taskAcksLate?',
      '    at file://FOLDER/slip.js:2:20',
    ],
  },
  {
    args: ['-A', 'rabbit.js', 'worker'],
    status: 64,
    says: [
      `celery: no transport for broker URLs that begin with "amqp://": there is no driver for RabbitMQ in this release; known are memory, redis, redis+cluster, redis+socket, rediss, rediss+cluster, sentinel, socket, sqlite, unix; correct the URL, or register a driver for it`,
      'The broker URL is that of the setting brokerUrl of the app in FOLDER/rabbit.js.',
    ],
  },
  {
    args: ['-A', 'file.js', 'call', 'add'],
    status: 69,
    says: [
      'celery: no task "add" is declared in FOLDER/file.js; sent all the same, for workers that have it',
      'celery: the call of add was not sent: no connection to sqlite:////proc/nowhere/queue.db: /proc/nowhere/queue.db cannot be opened: check that the folder exists and its permissions',
      'The broker URL is that of the setting brokerUrl of the app in FOLDER/file.js.',
    ],
  },
  {
    args: ['-A', 'include.js', 'worker'],
    status: 1,
    says: [
      'celery: cannot find the module "./taks.js" to import; looked for FOLDER/taks.js; give its path from the working directory, or the name of an installed package',
    ],
  },
  {
    args: ['-A', 'no-module.js', 'worker'],
    status: 1,
    says: [
      'celery: cannot load FOLDER/no-module.js:',
      "Error [ERR_MODULE_NOT_FOUND]: Cannot find module 'FOLDER/databse.js' imported from FOLDER/no-module.js",
    ],
  },
  {
    args: ['-A', 'no-package.js', 'worker'],
    status: 1,
    says: [
      'celery: cannot load FOLDER/no-package.js:',
      "Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'left-pad-but-not-there' imported from FOLDER/no-package.js",
    ],
  },
  {
    args: ['-A', 'common.js', 'worker'],
    status: 1,
    says: [
      'celery: cannot load FOLDER/common.js:',
      'ReferenceError: require is not defined in ES module scope, you can use import instead',
      `This file is being treated as an ES module because it has a '.js' file extension and 'FOLDER/package.json' contains "type": "module". To treat it as a CommonJS script, rename it to use the '.cjs' file extension.`,
      '    at file://FOLDER/common.js:1:20',
    ],
  },
  {
    args: ['-A', 'twice.js', 'worker'],
    status: 1,
    says: [
      'celery: cannot load FOLDER/twice.js:',
      'AlreadyRegistered: a task named "add" is already registered in this app; give one of the two another name',
      '    at file://FOLDER/twice.js:4:5',
    ],
  },
  {
    args: ['-A', 'rate.js', 'worker', '-P', 'solo'],
    status: 1,
    says: [
      'celery: cannot load FOLDER/rate.js:',
      `ImproperlyConfigured: the option rateLimit of the task "add" must be a number per second, or '10/s', '10/m', '10/h', not 'often'`,
      '    at file://FOLDER/rate.js:3:5',
    ],
  },
  {
    args: ['-A', 'tasks.js', 'worker', '-P', 'prefrok'],
    status: 64,
    says: [
      "error: option '-P, --pool <name>' argument 'prefrok' is invalid. It must be one of prefork, processes, threads, solo, async, gevent, eventlet, or the path of a module.",
      '(--help shows what there is)',
    ],
  },
  {
    args: ['-A', 'tasks.js', 'worker', '-c', '-2'],
    status: 64,
    says: [
      "error: option '-c, --concurrency <number>' argument '-2' is invalid. It must be a whole number, 0 or more.",
      '(--help shows what there is)',
    ],
  },
  {
    args: ['-A', 'tasks.js', 'worker', '--concurency', '2'],
    status: 64,
    says: ["error: unknown option '--concurency'", '(Did you mean --concurrency?)', '(--help shows what there is)'],
  },
  {
    args: ['-A', 'tasks.js', 'worker', '-Q', ''],
    status: 64,
    says: ['celery: no queue is left; see -Q and -X'],
  },
  {
    args: ['-A', 'tasks.js', 'worker', '--', 'task_ack_late=1'],
    status: 64,
    says: ['celery: there is no setting "taskAckLate"; did you mean taskAcksLate?'],
  },
  {
    args: ['-A', 'tasks.js', 'worker', '--', 'result_expires=soon'],
    status: 64,
    says: ['celery: the setting "result_expires" on the command line cannot be read as seconds'],
  },
  {
    args: ['-A', 'tasks.js', 'call', 'tasks.ad'],
    status: 64,
    says: [
      'celery: no task "tasks.ad" is declared in FOLDER/tasks.js; did you mean "tasks.add"? With --unchecked it is sent all the same',
    ],
  },
  {
    args: ['-A', 'tasks.js', 'call', 'tasks.add', '-a', '1 2'],
    status: 64,
    says: [
      /^error: option '-a, --args <json>' argument '1 2' is invalid\. It must be an array in JSON: /,
      '(--help shows what there is)',
    ],
  },
  {
    args: ['-A', 'tasks.js', 'call', 'tasks.add', '-a', '[1]', '-k', '{"z": 1}'],
    status: 1,
    says: ["celery: tasks.add() got an unexpected keyword argument 'z'"],
  },
  {
    args: ['-A', 'tasks.js', 'call', 'tasks.add', '-a', '[1]'],
    status: 1,
    says: ["celery: tasks.add() missing 1 required positional argument: 'y'"],
  },
  {
    args: ['-A', 'tasks.js', 'result', '7c6a'],
    status: 1,
    says: ['celery: nothing is known of task 7c6a: it has not run yet, ignores its result, or was never sent'],
  },
  {
    args: ['-A', 'tasks.js', 'worker'],
    env: { NODE_ENV: 'production' },
    status: 1,
    says: [
      'celery: no broker is configured, and NODE_ENV is "production"; set brokerUrl (or CELERY_BROKER_URL), or set CELERY_LOCAL to a file to use the embedded broker on purpose',
    ],
  },
  {
    args: ['-A', 'tasks.js', 'worker', '-P', 'solo'],
    env: { CELERY_BROKER_URL: 'redi://x' },
    status: 64,
    says: [
      'celery: no transport for broker URLs that begin with "redi://"; known are memory, redis, redis+cluster, redis+socket, rediss, rediss+cluster, sentinel, socket, sqlite, unix; correct the URL, or register a driver for it',
      'The broker URL is that of CELERY_BROKER_URL in the environment.',
      'Did you mean redis://?',
    ],
  },
  {
    args: ['-A', 'tasks.js', 'call', 'tasks.add', '-a', '[1, 2]'],
    env: { CELERY_BROKER_URL: 'localhost' },
    status: 64,
    says: [
      'celery: broker URL is not valid: it has no scheme; write for example redis://localhost:6379/0 for a server, or sqlite:///queue.db for a file',
      'The broker URL is that of CELERY_BROKER_URL in the environment.',
    ],
  },
]

const javaScriptAlone = `Node ${process.version} reads JavaScript alone: name the compiled module, or start with TypeScript (npx tsx program.ts, celery -A ./tasks.ts)`

/** On a Node that reads no TypeScript. */
const ofTypeScript: readonly Mistake[] = [
  {
    args: ['-A', 'built.js', 'worker'],
    status: 1,
    says: [
      `celery: cannot import FOLDER/typed.ts: Unknown file extension ".ts" for FOLDER/typed.ts; ${javaScriptAlone}`,
    ],
  },
  {
    args: ['-A', 'configured.js', 'worker'],
    status: 1,
    says: [
      'celery: cannot load FOLDER/configured.js:',
      `UnreadableModuleError: cannot import FOLDER/settings.ts: Unknown file extension ".ts" for FOLDER/settings.ts; ${javaScriptAlone}`,
      '    at async file://FOLDER/configured.js:3:1',
    ],
  },
  {
    args: ['-A', 'imports-typed.js', 'worker'],
    status: 1,
    says: [
      'celery: cannot load FOLDER/imports-typed.js:',
      'TypeError [ERR_UNKNOWN_FILE_EXTENSION]: Unknown file extension ".ts" for FOLDER/typed.ts',
      javaScriptAlone,
    ],
  },
]
const readsTypeScript = ((process.features as { typescript?: unknown }).typescript ?? false) !== false

const packageFolder = fileURLToPath(new URL('..', import.meta.url))
const workspace = fileURLToPath(new URL('../../..', import.meta.url))
let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'celery-mistakes-'))
  mkdirSync(join(folder, 'node_modules'))
  mkdirSync(join(folder, 'common'))
  symlinkSync(packageFolder, join(folder, 'node_modules', 'celery'))
  for (const [file, content] of Object.entries(files)) writeFileSync(join(folder, file), content)
})

afterAll(() => rmSync(folder, { recursive: true }))

describe.concurrent('a mistake on the command line, or in the module that it names', () => {
  test.each([...mistakes, ...(readsTypeScript ? [] : ofTypeScript)])(
    'celery $args',
    async ({ args, env, says, status }) => {
      const command = new CeleryProcess(args, { ...environment(), ...env }, folder)
      expect(await command.exit()).toBe(status)
      const lines = told(command.log)
      expect(lines).toEqual(says.map((line) => (line instanceof RegExp ? expect.stringMatching(line) : line)))
    },
  )
})

/** Of this process, without what would say something to the command. */
function environment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(([name]) => !name.startsWith('CELERY_') && name !== 'NODE_ENV')
  return Object.fromEntries(entries)
}

/** As who has installed the packages sees it: without our own lines of a stack, which lie in `node_modules` then. */
function told(log: string): readonly string[] {
  return (
    log
      .replaceAll(folder, 'FOLDER')
      .replaceAll(`file://${workspace}`, 'WORKSPACE/')
      // With the source maps of tsx.
      .replaceAll(workspace, 'WORKSPACE/')
      .trimEnd()
      .split('\n')
      .filter((line) => !/^ {4}at .*WORKSPACE\//.test(line) && !line.includes('running as root'))
  )
}
