import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CeleryProcess } from './scene.ts'

const packageFolder = fileURLToPath(new URL('..', import.meta.url))
const app = "import { Celery } from 'celery'\nexport const app = new Celery('example')\n"
const tasks = `${app}
app.task('add', (x, y) => x + y, { params: ['x', 'y'] })
app.task('setting', (name) => app.conf[name])
app.task('fail', () => { throw new TypeError('no such luck') })
`

let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'celery-command-'))
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(packageFolder, join(folder, 'node_modules', 'celery'))
  write('package.json', '{ "type": "module" }')
  write('tasks.mjs', tasks)
  // What only a TypeScript loader understands.
  write('typed.ts', tasks.replace('(x, y) =>', '(x: number, y: number): number =>'))
  write('proj/celery.js', tasks)
  write('other.js', `import { app } from './tasks.mjs'\nexport const first = 1, second = app\n`)
  write(
    'banner.mjs',
    `${tasks}
app.task('celery.inner', () => null)
app.conf.taskQueues = ['mail', { name: 'feeds', exchange: 'media', exchangeType: 'topic', routingKey: 'feed.*' }]`,
  )
  write(
    'hostile.mjs',
    `${app}
app.task('echo', (value) => value)
app.task('fail', (message) => { throw new TypeError(message) })`,
  )
  write('no-app.mjs', 'export const x = 1')
  write('throws.mjs', "import './tasks.mjs'\nthrow new Error('cannot be loaded today')")
  write('imports-nothing.mjs', "import 'a-package-that-is-not-there'")
})

afterAll(() => rmSync(folder, { recursive: true }))

function write(file: string, content: string): void {
  mkdirSync(dirname(join(folder, file)), { recursive: true })
  writeFileSync(join(folder, file), content)
}

function start(...args: readonly string[]): CeleryProcess {
  return new CeleryProcess(args, { ...process.env, CELERY_LOCAL: join(folder, 'queue.db') }, folder)
}

async function celery(...args: readonly string[]) {
  const command = start(...args)
  const status = await command.exit()
  return { status, output: command.output, log: command.log }
}

const withoutAll = ['--without-gossip', '--without-mingle', '--without-heartbeat']

describe.concurrent('a command line that cannot be carried out: status 64, and what is wrong', () => {
  test.each([
    [['-A', 'nothing', 'worker'], /cannot find the app module "nothing"[\s\S]*nothing\.ts[\s\S]*nothing\.mjs/],
    [['-A', 'no-app.mjs', 'worker'], /exports no Celery app; it exports x/],
    [['-A', 'tasks.mjs:other', 'worker'], /no Celery app named "other"; it exports app/],
    [['worker'], /which app\?[\s\S]*-A/],
    [['-A', 'tasks.mjs', 'worker', '-P', 'fibers'], /prefork, processes, threads, solo, async/],
    [['-A', 'tasks.mjs', 'worker', '-c', '1.5'], /whole number, 0 or more/],
    [['-A', 'tasks.mjs', 'worker', '-l', 'loud'], /one of DEBUG, INFO/],
    [['-A', 'tasks.mjs', 'worker', '--time-limit', '-1'], /must not be negative/],
    [['-A', 'tasks.mjs', 'worker', '-O', 'quick'], /one of default, fair/],
    [['-A', 'tasks.mjs', 'worker', '-X', 'celery'], /no queue is left/],
    [['-A', 'tasks.mjs', 'worker', '--umask', '8'], /octal/],
    [['-A', 'tasks.mjs', 'worker', '--workdir', 'nowhere'], /cannot change to the folder nowhere/],
    [['-A', 'tasks.mjs', 'worker', '--uid', 'nobody-of-that-name'], /there is no user/],
    [['-A', 'tasks.mjs', 'worker', '-E'], /--task-events: there is no support for events yet/],
    [['-A', 'tasks.mjs', 'worker', '--autoscale', '4,2'], /--autoscale: there is no support/],
    [['-A', 'tasks.mjs', 'worker', '--heartbeat-interval', '2'], /--heartbeat-interval: there is no support/],
    // Those that turn off what is not there are accepted: the next one is at fault.
    [['-A', 'tasks.mjs', 'worker', ...withoutAll, '--autoscale', '4,2'], /--autoscale: there is no support/],
    [['-A', 'tasks.mjs', 'worker', '--', 'nonsense'], /NAME=VALUE/],
    [['-A', 'tasks.mjs', 'worker', '--nonsense'], /unknown option '--nonsense'/],
    [['-A', 'tasks.mjs', 'call', 'add', '-a', '{}'], /must be an array in JSON/],
    [['-A', 'tasks.mjs', 'call', 'add', '--eta', 'soon'], /must be a time/],
    [['-A', 'tasks.mjs', 'result', 'x', '--wait', 'abc'], /must be a number/],
    [['-A', 'tasks.mjs', 'nonsense'], /unknown command 'nonsense'/],
  ] as const)('celery %j', async (args, message) => {
    const { log, status } = await celery(...args)
    expect(log).toMatch(message)
    expect(log).not.toMatch(/^ {4}at /m)
    expect(status).toBe(64)
  })
})

describe('a module that cannot be loaded: status 1, and where', () => {
  test.each([
    ['throws.mjs', /throws\.mjs:\nError: cannot be loaded today\n\s+at .*throws\.mjs:2/],
    ['imports-nothing.mjs', /a-package-that-is-not-there/],
  ])('%s', async (file, message) => {
    const { log, status } = await celery('-A', file, 'worker')
    expect(log).toMatch(message)
    expect(log).toContain(`cannot load ${join(folder, file)}`)
    expect(status).toBe(1)
  })
})

test('a worker that cannot start ends with status 1 and the reason', async () => {
  const { log, status } = await celery('-A', 'tasks.mjs', 'worker', '-I', './throws.mjs')
  expect(log).toContain('cannot be loaded today')
  expect(status).toBe(1)
})

test('--help and --version say so on standard output, with status 0', async () => {
  const help = await celery('--help')
  expect(help).toMatchObject({ status: 0, log: '' })
  for (const command of ['worker', 'call', 'result', '-A']) expect(help.output).toContain(command)
  const worker = await celery('worker', '--help')
  expect(worker.status).toBe(0)
  expect(worker.output).toContain('--concurrency')
  const version = await celery('--version')
  expect(version.status).toBe(0)
  expect(version.output).toMatch(/^\d+\.\d+\.\d+/)
})

describe('call and result', () => {
  test.each(['tasks.mjs', 'typed.ts', 'proj', 'other.js:second'])(
    'with -A %s: sends a task that a worker from there runs, and prints what came of it',
    async (module) => {
      const sent = await celery('-A', module, 'call', 'add', '-a', '[2]', '-k', '{"y": 40}')
      expect(sent.status).toBe(0)
      expect(sent.output).toMatch(/^[0-9a-f-]{36}\n$/)
      const worker = start('-A', module, 'worker', '-c', '1', '-l', 'info')
      await worker.untilLogged('succeeded')
      worker.signal('SIGTERM')
      expect(await worker.exit()).toBe(0)
      expect(await celery('-A', module, 'result', sent.output.trim())).toMatchObject({ status: 0, output: '42\n' })
    },
  )

  test('of what failed, or is not known: status 1, and why', async () => {
    const { output: failing } = await celery('-A', 'tasks.mjs', 'call', 'fail')
    // Where -A stands does not matter.
    const worker = start('worker', '-P', 'async', '-l', 'info', '-A', 'tasks.mjs')
    await worker.untilLogged('raised')
    worker.signal('SIGTERM')
    await worker.exit()
    const failed = await celery('-A', 'tasks.mjs', 'result', failing.trim())
    expect(failed.status).toBe(1)
    expect(failed.output).toContain('FAILURE: TypeError: no such luck')
    const trace = await celery('-A', 'tasks.mjs', 'result', failing.trim(), '--traceback')
    expect(trace.output).toMatch(/TypeError: no such luck[\s\S]*tasks\.mjs/)
    const unknown = await celery('-A', 'tasks.mjs', 'result', 'unknown')
    expect(unknown.status).toBe(1)
    expect(unknown.log).toContain('nothing is known of task unknown')
    const late = await celery('-A', 'tasks.mjs', 'result', 'unknown', '--wait', '0.1')
    expect(late.status).toBe(1)
  })

  test('H-32 prints nothing of a result or an error that a terminal would obey', async () => {
    const call = async (name: string, value: unknown): Promise<string> => {
      const args = ['-a', JSON.stringify([value]), '--queue', 'hostile']
      return (await celery('-A', 'hostile.mjs', 'call', name, ...args)).output.trim()
    }
    const text = await call('echo', 'one\n\u001b[2Jtwo\u202e')
    const data = await call('echo', { '\u001b[2J\u202e': ['\u009b2J\u2028'] })
    const error = await call('fail', '\u001b]0;mine\u0007\r\nFAILURE: \u202eno')
    const worker = start('-A', 'hostile.mjs', 'worker', '-P', 'solo', '-Q', 'hostile', '-l', 'info')
    await worker.untilLogged('raised')
    worker.signal('SIGTERM')
    await worker.exit()
    const result = (...args: readonly string[]) => celery('-A', 'hostile.mjs', 'result', ...args)
    expect(await result(text)).toMatchObject({ status: 0, output: 'one\n\\x1b[2Jtwo\\u202e\n' })
    const outputs = [await result(data), await result(error), await result(error, '--traceback')]
    expect(outputs.map(({ status }) => status)).toEqual([0, 1, 1])
    expect(outputs[1]?.output).toBe('FAILURE: TypeError: \\x1b]0;mine\\x07\\r\nFAILURE: \\u202eno\n')
    expect(outputs[2]?.output).toContain('TypeError: \\x1b]0;mine\\x07\\r\nFAILURE: \\u202eno\n    at ')
    const printed = outputs.map(({ output }) => output).join('')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about.
    expect(printed).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u202e]/)
  })
})

describe('the files of a worker', () => {
  test('WORK-007 WORK-022 --logfile and --pidfile: one worker has them, a second one is refused with status 73', async () => {
    const files = ['-f', 'w-%n-%i%I.log', '--pidfile', '%n.pid', '-n', 'filed', '-P', 'solo', '-l', 'info']
    const worker = start('-A', 'tasks.mjs', 'worker', ...files)
    const log = (): string => readFileSync(join(folder, 'w-filed-0.log'), { encoding: 'utf8', flag: 'a+' })
    await expect.poll(log, { timeout: 20_000 }).toContain('ready.')
    expect(readFileSync(join(folder, 'filed.pid'), 'utf8')).toBe(`${worker.pid}\n`)
    expect(worker.log).not.toContain('ready.')
    const second = await celery('-A', 'tasks.mjs', 'worker', ...files)
    expect(second.status).toBe(73)
    expect(second.log).toContain(`process ${worker.pid} runs already`)
    worker.signal('SIGTERM')
    expect(await worker.exit()).toBe(0)
    expect(existsSync(join(folder, 'filed.pid'))).toBe(false)
  })

  test('CONF-165 CONF-185 WORK-020 are settings, too, which can be given after --', async () => {
    const settings = ['worker_logfile=of-setting.log', 'worker.log_format=%(levelname)s! %(message)s']
    const worker = start('-A', 'tasks.mjs', 'worker', '-n', 'set@here', '-P', 'solo', '-l', 'info', '--', ...settings)
    const log = (): string => readFileSync(join(folder, 'of-setting.log'), { encoding: 'utf8', flag: 'a+' })
    await expect.poll(log, { timeout: 20_000 }).toContain('INFO! set@here ready.\n')
    worker.signal('SIGTERM')
    expect(await worker.exit()).toBe(0)
  })

  test.each(['prefork', 'threads', 'solo'])('WORK-020 settings after -- are in the tasks of %s, too', async (pool) => {
    const settings = ['result_expires=77', `worker_pool=${pool}`]
    const queue = `settings-${pool}`
    const { output: id } = await celery(
      '-A',
      'tasks.mjs',
      'call',
      'setting',
      '-a',
      '["resultExpires"]',
      '--queue',
      queue,
    )
    const worker = start('-A', 'tasks.mjs', 'worker', '-Q', queue, '-c', '1', '-l', 'info', '--', ...settings)
    await worker.untilLogged('succeeded')
    worker.signal('SIGTERM')
    expect(await worker.exit()).toBe(0)
    expect(await celery('-A', 'tasks.mjs', 'result', id.trim())).toMatchObject({ status: 0, output: '77\n' })
  })

  test('--workdir is where the module and the files are looked for', async () => {
    const args = ['worker', '--workdir', 'proj', '-A', 'celery', '-P', 'solo', '--pidfile', 'here.pid', '-l', 'info']
    const worker = start(...args)
    await worker.untilLogged('ready.')
    expect(existsSync(join(folder, 'proj', 'here.pid'))).toBe(true)
    worker.signal('SIGTERM')
    expect(await worker.exit()).toBe(0)
  })
})

test('WORK-017 WORK-004 --purge deletes what waits in the queues of the worker, and -X leaves queues out', async () => {
  const send = (queue: string) => celery('-A', 'tasks.mjs', 'call', 'add', '-a', '[1, 2]', '--queue', queue)
  await Promise.all([send('purged'), send('kept')])
  const queues = ['-Q', 'purged,kept', '-X', 'kept']
  const worker = start('-A', 'tasks.mjs', 'worker', '-P', 'solo', ...queues, '--purge', '-l', 'info')
  await worker.untilLogged('ready.')
  expect(worker.log).toContain('purge: erased 1 messages from queue purged')
  expect(worker.log).not.toContain('queue kept')
  expect(worker.output).toMatch(/\.> purged +exchange=purged\(direct\) key=purged/)
  expect(worker.output).not.toContain('.> kept')
  worker.signal('SIGTERM')
  expect(await worker.exit()).toBe(0)
  const other = start('-A', 'tasks.mjs', 'worker', '-P', 'solo', '-Q', 'kept', '-l', 'info')
  await other.untilLogged('succeeded')
  other.signal('SIGTERM')
  expect(await other.exit()).toBe(0)
})

test('WORK-024 the banner lists tasks from INFO on, and ours with DEBUG, and queues with their exchanges', async () => {
  const outputOf = async (level: string): Promise<string> => {
    const worker = start('-A', 'banner.mjs', 'worker', '-P', 'solo', '-l', level, '--pidfile', 'banner.pid')
    await expect.poll(() => worker.output, { timeout: 20_000 }).toContain('[queues]')
    await expect.poll(() => existsSync(join(folder, 'banner.pid')), { timeout: 20_000 }).toBe(true)
    worker.signal('SIGTERM')
    await worker.exit()
    return worker.output
  }
  expect(await outputOf('WARNING')).not.toContain('[tasks]')
  expect(await outputOf('INFO')).toContain('[tasks]\n  . add\n  . fail\n  . setting\n\n')
  const output = await outputOf('DEBUG')
  expect(output).toContain('[tasks]\n  . add\n  . celery.inner\n  . fail\n')
  expect(output).toContain(' .> mail             exchange=mail(direct) key=mail\n')
  expect(output).toContain(' .> feeds            exchange=media(topic) key=feed.*\n')
})

test('--quiet: a worker prints neither a banner nor that it was told to stop', async () => {
  const loud = start('-A', 'tasks.mjs', 'worker', '-c', '1', '-l', 'info')
  await loud.untilLogged('ready.')
  loud.signal('SIGINT')
  await loud.exit()
  expect(loud.output).toContain('[queues]')
  expect(loud.output).toContain('. add')
  expect(loud.log).toContain('SIGINT: warm shutdown (again for a cold one)')

  const quiet = start('-A', 'tasks.mjs', 'worker', '-c', '1', '-q', '-l', 'info')
  await quiet.untilLogged('ready.')
  quiet.signal('SIGTERM')
  expect(await quiet.exit()).toBe(0)
  expect(quiet.output).toBe('')
  expect(quiet.log).not.toContain('shutdown')
})
