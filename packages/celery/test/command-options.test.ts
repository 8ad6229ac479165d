import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CommandFolder } from './command-folder.ts'

const tasks = `import { Celery } from 'celery'
export const app = new Celery('example')
export const other = new Celery('other', { setAsCurrent: false })
app.task('add', (x, y) => x + y, { params: ['x', 'y'] })
app.task('setting', (name) => app.conf[name])
`

let folder: CommandFolder

beforeAll(() => {
  folder = new CommandFolder({
    'tasks.mjs': tasks.replace(/export const other.*\n/, ''),
    'proj/celery.js': "import { Celery } from 'celery'\nexport const app = new Celery('of-folder')\n",
    'proj/tasks.js': "import { app } from './celery.js'\napp.task('proj.work', () => 1)\nexport { app }\n",
    'proj/jobs.js': "import { Celery } from 'celery'\nexport const jobs = new Celery('of-jobs')\n",
    'late.mjs': "import { Celery } from 'celery'\nexport const app = new Celery('late', { include: ['./more.mjs'] })\n",
    'more.mjs': "import { app } from './late.mjs'\napp.task('more.work', () => 1)\n",
    'wrong.mjs':
      "import { Celery } from 'celery'\nexport const app = new Celery('wrong', { broker: 'sqlit:///x.db' })\n",
    'broken.mjs': "import { Celery } from 'celery'\nexport const app = new Celery('b', { include: ['./gone.mjs'] })\n",
    'configured.mjs': "import { Celery } from 'celery'\nexport const app = new Celery('c')\n",
    'mycelery.json': '{ "task_default_queue": "from-config" }',
  })
})

afterAll(() => folder[Symbol.dispose]())

const celery = (args: readonly string[], env: NodeJS.ProcessEnv = {}) => folder.run(args, env)

describe.concurrent('CLI-001 the app', { timeout: 120_000 }, () => {
  test.each([
    ['tasks.mjs', 'example'],
    ['./tasks', 'example'],
    ['proj', 'of-folder'],
    ['proj.celery', 'of-folder'],
    ['proj.celery:app', 'of-folder'],
    ['proj.celery.app', 'of-folder'],
    ['proj/celery.js', 'of-folder'],
    ['proj.tasks', 'of-folder'],
    ['proj.jobs', 'of-jobs'],
    ['proj.jobs:jobs', 'of-jobs'],
  ])('-A %s is %s', async (spec, name) => {
    const { output, status } = await folder.runWithInput('app.main\n', ['-A', spec, 'shell'])
    expect({ output, status }).toEqual({ output: `'${name}'\n`, status: 0 })
  })

  test('is that of CELERY_APP without -A, and -A may follow the command', async () => {
    const named = await celery(['call', 'add', '-a', '[1, 2]'], { CELERY_APP: 'tasks.mjs' })
    expect(named).toMatchObject({ status: 0 })
    expect((await celery(['call', 'add', '-a', '[1, 2]', '-A', 'tasks.mjs'])).status).toBe(0)
    const none = await celery(['call', 'add'])
    expect(none.status).toBe(64)
    expect(none.log).toMatch(/which app\?.*-A/)
  })

  test('need not be there where -b names the broker', async () => {
    const broker = `sqlite:///${join(folder.path, 'other.db')}`
    const sent = await celery(['-b', broker, 'call', 'elsewhere.work'])
    expect(sent).toMatchObject({ status: 0, log: '' })
    expect(sent.output).toMatch(/^[0-9a-f-]{36}\n$/)
    const purged = await celery(['purge', '-f'], { CELERY_BROKER_URL: broker })
    expect(purged).toMatchObject({ status: 0, output: 'Purged 1 message from 1 known task queue.\n' })
  })
})

describe.concurrent('CLI-002 what the options set', { timeout: 120_000 }, () => {
  test('-b and --result-backend are in pool processes, too', async () => {
    const broker = `sqlite:///${join(folder.path, 'chosen.db')}`
    const options = ['-A', 'tasks.mjs', '-b', broker, '--result-backend', broker]
    const { output: id } = await celery([...options, 'call', 'setting', '-a', '["brokerUrl"]'])
    const worker = folder.start([...options, 'worker', '-c', '1', '-l', 'info'])
    await worker.untilLogged('succeeded')
    worker.signal('SIGTERM')
    expect(await worker.exit()).toBe(0)
    expect(worker.output).toContain(`transport:   ${broker}`)
    expect((await celery([...options, 'result', id.trim()])).output).toBe(`${broker}\n`)
  })

  test('--config is the module of the settings, --workdir where it and the app are looked for', async () => {
    const report = await celery(['--workdir', '.', '--config', './mycelery.json', '-A', 'configured', 'report'])
    expect(report.output).toContain('taskDefaultQueue: from-config')
    const inside = await celery(['-A', 'celery', 'report', '--workdir', 'proj'])
    expect(inside).toMatchObject({ status: 0 })
    const nowhere = await celery(['--workdir', 'nowhere', '-A', 'celery', 'report'])
    expect(nowhere.status).toBe(64)
    expect(nowhere.log).toContain('cannot change to the folder nowhere')
  })

  test('--loader is refused with a reason, --skip-checks has nothing to skip', async () => {
    const loader = await celery(['--loader', 'my.loader', '-A', 'tasks.mjs', 'report'])
    expect(loader.status).toBe(64)
    expect(loader.log).toContain('--loader: there are no loaders')
    expect((await celery(['--skip-checks', '-A', 'tasks.mjs', 'report'])).status).toBe(0)
  })
})

describe.concurrent('CLI-003 CLI-005 help, versions and mistakes', { timeout: 120_000 }, () => {
  test('-V is the version, -q prints no banner wherever it stands, -C no colours', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../cli/package.json', import.meta.url), 'utf8'))
    expect(await celery(['-V'])).toMatchObject({ status: 0, output: `${version}\n`, log: '' })
    const options = ['-P', 'solo', '-Q', 'quiet', '-l', 'debug', '--', 'worker.log_color=true']
    const runs = [
      ['-q', '-C', '-A', 'tasks.mjs', 'worker', ...options],
      ['-A', 'tasks.mjs', 'worker', '-q', ...options],
    ]
    const logs: string[] = []
    for (const args of runs) {
      const worker = folder.start(args)
      await worker.untilLogged('ready.')
      worker.signal('SIGTERM')
      expect(await worker.exit()).toBe(0)
      expect(worker.output).toBe('')
      logs.push(worker.log)
    }
    expect(logs[0]).not.toContain('\u001b[')
    expect(logs[1]).toContain('\u001b[')
  })

  test('--help of the command lists what there is, and nothing of what comes later', async () => {
    const { log, output, status } = await celery(['--help'])
    expect({ log, status }).toEqual({ log: '', status: 0 })
    const commands = output.slice(output.indexOf('Commands:'), output.indexOf('Examples:'))
    const names = [...commands.matchAll(/^ {2}(\w+)/gm)].map(([, name]) => name)
    expect(names).toEqual(['worker', 'call', 'result', 'shell', 'purge', 'dead', 'health', 'report', 'help'])
    for (const option of ['-A, --app', '-b, --broker', '--result-backend', '--config', '--workdir', '-q, --quiet'])
      expect(output).toContain(option)
    expect(output).toContain('-C, --no-color')
    expect(output).not.toContain('--loader')
  })

  test.each(['worker', 'call', 'result', 'shell', 'purge', 'dead', 'dead list', 'dead requeue', 'report'])(
    'CLI-027 celery %s --help has its usage, its options and those of all commands',
    async (name) => {
      const help = await celery([...name.split(' '), '--help'])
      expect(help).toMatchObject({ status: 0, log: '' })
      expect(help.output).toMatch(new RegExp(`^Usage: celery ${name}( |$)`, 'm'))
      expect(help.output).toMatch(/Global Options:[\s\S]*-A, --app <module>/)
      if (name === 'call') expect((await celery(['help', name])).output).toBe(help.output)
    },
  )

  test('options of the worker stand in groups', async () => {
    const { output } = await celery(['worker', '--help'])
    expect(output).toMatch(
      /How tasks run:[\s\S]*--pool[\s\S]*Tasks and queues:[\s\S]*--queues[\s\S]*The process:[\s\S]*--hostname/,
    )
  })

  test.each([
    [['wrker'], /unknown command 'wrker'\s+\(Did you mean worker\?\)/],
    [['worker', '--concurency', '2'], /unknown option '--concurency'\s+\(Did you mean --concurrency\?\)/],
    [['-A'], /option '-A, --app <module>' argument missing/],
    [['call'], /missing required argument 'name'/],
    [['-A', 'tasks.mjs', 'purge'], /deletes all messages.*celery.*say -f/],
    [['-A', 'tasks.mjs', 'purge', '-f', '-Q', 'a', '-X', 'a'], /no queue is left/],
    [['-A', 'tasks.mjs', 'shell', '--ipython'], /--ipython is a matter of Python/],
    [['beat'], /there is no "celery beat" in this release: the scheduler will come with a later one/],
    [['-A', 'tasks.mjs', 'inspect', 'active', '-d', 'x', '--json'], /there is no "celery inspect" in this release/],
  ] as const)('%j: status 64', async (args, message) => {
    const { log, status } = await celery(args)
    expect(log).toMatch(message)
    expect(log).not.toMatch(/^ {4}at /m)
    expect(status).toBe(64)
  })
})

describe.concurrent('CLI-006 an option in the environment', { timeout: 120_000 }, () => {
  test('is CELERY_<COMMAND>_<OPTION>, below the command line', async () => {
    const env = { CELERY_APP: 'tasks.mjs', CELERY_WORKER_CONCURRENCY: '3', CELERY_WORKER_POOL: 'solo' }
    const args = ['worker', '-P', 'async', '-Q', 'environment', '-l', 'info']
    const worker = folder.start(args, { ...env, CELERY_WORKER_QUEUES: 'not-this' })
    await worker.untilLogged('ready.')
    worker.signal('SIGTERM')
    expect(await worker.exit()).toBe(0)
    expect(worker.output).toContain('concurrency: 3 (async)')
    expect(worker.output).toContain('.> environment')
  })

  test('is refused where it cannot be right, and a flag may say no', async () => {
    const wrong = await celery(['-A', 'tasks.mjs', 'worker'], { CELERY_WORKER_CONCURRENCY: 'many' })
    expect(wrong.status).toBe(64)
    expect(wrong.log).toContain('CELERY_WORKER_CONCURRENCY')
    const no = await celery(['-A', 'tasks.mjs', 'purge', '-Q', 'no'], { CELERY_PURGE_FORCE: '0' })
    expect(no.status).toBe(64)
    const yes = await celery(['-A', 'tasks.mjs', 'purge', '-Q', 'no'], { CELERY_PURGE_FORCE: '1' })
    expect(yes).toMatchObject({ status: 0, output: 'No messages purged from 1 known task queue.\n' })
  })
})

describe.concurrent('a broker URL that cannot be used: what, and where it was given', { timeout: 120_000 }, () => {
  test.each([
    [
      ['-b', 'amqp://localhost', 'dead', 'list'],
      {},
      /"amqp:\/\/": there is no driver for RabbitMQ in this release[\s\S]*that of -b on the command line/,
    ],
    [
      ['-A', 'tasks.mjs', 'call', 'add', '-a', '[1, 2]'],
      { CELERY_BROKER_URL: 'no scheme' },
      /broker URL is not valid[\s\S]*CELERY_BROKER_URL in the environment/,
    ],
    [
      ['-A', 'wrong.mjs', 'worker'],
      {},
      /"sqlit:\/\/"[\s\S]*the setting brokerUrl of the app in .*wrong\.mjs[\s\S]*Did you mean sqlite:\/\/\?/,
    ],
    [
      ['-A', 'tasks.mjs', '--result-backend', 'memry://', 'result', 'x'],
      {},
      /"memry:\/\/"[\s\S]*--result-backend[\s\S]*Did you mean memory:\/\/\?/,
    ],
  ] as const)('%j', async (args, env, message) => {
    const { log, output, status } = await celery(args, env)
    expect(log).toMatch(message)
    expect(log).not.toMatch(/^ {4}at /m)
    expect(output).toBe('')
    expect(status).toBe(64)
  })
})

describe('what cannot be printed', { timeout: 120_000 }, () => {
  const bin = fileURLToPath(new URL('../bin/celery.js', import.meta.url))
  const inShell = (script: string) => {
    const words = [process.execPath, bin, '-A', 'tasks.mjs', 'report']
    return spawnSync('/bin/sh', ['-c', script, ...words], { cwd: folder.path, encoding: 'utf8' })
  }

  test('as its disk is full is told of, and a failure', () => {
    const { status, stderr } = inShell('"$0" "$@" > /dev/full')
    expect(stderr).toMatch(/^celery: cannot write to standard output: .*ENOSPC.*\n$/)
    expect(status).toBe(1)
  })

  test('as its reader has seen enough is none', () => {
    expect(inShell('{ "$0" "$@"; echo "status $?" >&2; } | true').stderr).toBe('status 0\n')
  })
})

describe.concurrent('the banner', { timeout: 120_000 }, () => {
  test('lists the tasks of the modules that the worker loads', async () => {
    const worker = folder.start(['-A', 'late.mjs', 'worker', '-P', 'solo', '-Q', 'late', '-l', 'info'])
    await worker.untilLogged('ready.')
    worker.signal('SIGTERM')
    await worker.exit()
    expect(worker.output).toContain('[tasks]\n  . more.work\n')
  })

  test('is not printed where a module cannot be loaded', async () => {
    const { log, output, status } = await celery(['-A', 'broken.mjs', 'worker'])
    expect({ output, status }).toEqual({ output: '', status: 1 })
    expect(log).toContain('cannot find the module "./gone.mjs"')
  })
})
