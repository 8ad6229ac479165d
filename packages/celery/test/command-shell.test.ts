import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CommandFolder } from './command-folder.ts'

let folder: CommandFolder

beforeAll(() => {
  folder = new CommandFolder({
    'tasks.mjs': `import { Celery } from 'celery'
export const app = new Celery('example', { include: ['./more.mjs'], settings: { brokerTransportOptions: { password: 'hush' } } })
app.task('proj.tasks.add', (x, y) => x + y, { params: ['x', 'y'] })
`,
    'more.mjs': "import { app } from './tasks.mjs'\napp.task('more.twice', (x) => 2 * x)\n",
  })
})

afterAll(() => folder[Symbol.dispose]())

const shell = (lines: string, ...args: readonly string[]) =>
  folder.runWithInput(lines, ['-A', 'tasks.mjs', 'shell', ...args])

describe.concurrent('CLI-019 celery shell', { timeout: 120_000 }, () => {
  test('has the app, its tasks by name, and what the package exports; await works, line by line', async () => {
    const { log, output, status } = await shell(`\
app.main
celery === app
add(2, 2)
twice(4)
Object.keys(tasks)
const value = await new Promise((resolve) => setTimeout(resolve, 200, 'later'))
value
typeof chain
function twoLines() {
  return 'both'
}
twoLines()
add.s(2, 2).task
`)
    expect(output).toBe(`\
'example'
true
4
8
[ 'proj.tasks.add', 'more.twice' ]
'later'
'function'
'both'
'proj.tasks.add'
`)
    expect({ log, status }).toEqual({ log: '', status: 0 })
  })

  test.each([
    ['throws later', 'await Promise.reject(new Error("oops"))\n1\n'],
    ['is no JavaScript', 'const 1\n'],
    ['names what is not there', 'ad(2, 2)\n'],
  ])('ends with 1 where a line %s', async (_what, lines) => {
    expect((await shell(lines)).status).toBe(1)
  })

  test('sends tasks and reads their results', async () => {
    const worker = folder.start(['-A', 'tasks.mjs', 'worker', '-P', 'solo', '-l', 'info'])
    await worker.untilLogged('ready.')
    const { output } = await shell('await (await add.delay(40, 2)).get()\n')
    worker.signal('SIGTERM')
    await worker.exit()
    expect(output).toBe('42\n')
  })

  test('an error is told and the next line is read; -T leaves out the names of tasks', async () => {
    const { output, status } = await shell('throw new Error("oops")\ntypeof add\ntypeof tasks["more.twice"]\n', '-T')
    expect(output).toBe("Uncaught Error: oops\n'undefined'\n'function'\n")
    expect(status).toBe(1)
  })
})

test('CLI-020 celery report says what a bug report needs, and no secret', async () => {
  const { output, status } = await folder.run(['-A', 'tasks.mjs', 'report'])
  expect(status).toBe(0)
  expect(output).toMatch(/^software -> celery:\d+\.\d+\.\d+ node:\d+/)
  expect(output).toMatch(/^platform -> system:\w+ arch:\w+/m)
  expect(output).toMatch(/^settings -> transport:sqlite results:sqlite/m)
  expect(output).toContain("brokerTransportOptions: { password: '********' }")
  expect(output).not.toContain('hush')
})

describe.concurrent('CLI-013 celery purge', { timeout: 120_000 }, () => {
  test('deletes what waits in the queues of -Q, without those of -X, and says how much', async () => {
    const send = (queue: string) =>
      folder.run(['-A', 'tasks.mjs', 'call', 'proj.tasks.add', '-a', '[1, 2]', '--queue', queue])
    await Promise.all([send('p1'), send('p2'), send('p2'), send('p3')])
    const purged = await folder.run(['-A', 'tasks.mjs', 'purge', '-f', '-Q', 'p1,p2,p3,p1', '-X', 'p3'])
    expect(purged).toMatchObject({ status: 0, output: 'Purged 3 messages from 2 known task queues.\n' })
    const rest = await folder.run(['-A', 'tasks.mjs', 'purge', '-f', '-Q', 'p1,p2,p3'])
    expect(rest.output).toBe('Purged 1 message from 3 known task queues.\n')
  })
})

describe.concurrent('CLI-011 CLI-012 celery call and result', { timeout: 120_000 }, () => {
  const call = (...args: readonly string[]) => folder.run(['-A', 'tasks.mjs', 'call', ...args])

  test('a task of the app is checked before it is sent', async () => {
    const missing = await call('proj.tasks.add', '-a', '[1]')
    expect(missing).toMatchObject({ status: 1, output: '' })
    expect(missing.log).toContain("missing 1 required positional argument: 'y'")
    const slip = await call('proj.tasks.ad', '-a', '[1, 2]')
    expect(slip).toMatchObject({ status: 64, output: '' })
    expect(slip.log).toMatch(/no task "proj\.tasks\.ad" is declared in .*tasks\.mjs; did you mean "proj\.tasks\.add"\?/)
  })

  test('is sent also where the app runs its tasks eagerly', async () => {
    folder.write(
      'eager.mjs',
      `import { Celery } from 'celery'
export const app = new Celery('eager', { settings: { taskAlwaysEager: true } })
app.task('never.here', () => { process.stdout.write('it runs here') })
`,
    )
    const sent = await folder.run(['-A', 'eager.mjs', 'call', 'never.here', '--queue', 'eager'])
    expect(sent.output).toMatch(/^[0-9a-f-]{36}\n$/)
    const purged = await folder.run(['-A', 'eager.mjs', 'purge', '-f', '-Q', 'eager'])
    expect(purged.output).toBe('Purged 1 message from 1 known task queue.\n')
  })

  test('one that lives elsewhere is sent with a word of warning, --unchecked without', async () => {
    const elsewhere = await call('images.resize', '--queue', 'elsewhere')
    expect(elsewhere.output).toMatch(/^[0-9a-f-]{36}\n$/)
    expect(elsewhere.log).toContain('no task "images.resize" is declared')
    const unchecked = await call('proj.tasks.ad', '--unchecked', '--queue', 'elsewhere')
    expect(unchecked).toMatchObject({ status: 0 })
    expect(unchecked.log).not.toContain('is declared')
  })

  test('--expires is seconds or a moment, --countdown and --eta hold it back', async () => {
    const queue = 'timed'
    const [soon, moment, held] = await Promise.all([
      call('more.twice', '-a', '[1]', '--queue', queue, '--expires', '0'),
      call('more.twice', '-a', '[2]', '--queue', queue, '--expires', '2001-01-01T00:00:00Z'),
      call('more.twice', '-a', '[3]', '--queue', queue, '--countdown', '3600'),
    ])
    const worker = folder.start(['-A', 'tasks.mjs', 'worker', '-P', 'solo', '-Q', queue, '-l', 'info'])
    for (const { output } of [soon, moment]) await worker.untilLogged(`${output.trim()}] (expired)`)
    worker.signal('SIGTERM')
    await worker.exit()
    expect(worker.log).not.toContain('succeeded')
    const result = await folder.run(['-A', 'tasks.mjs', 'result', soon.output.trim(), '-t', 'more.twice'])
    expect(result).toMatchObject({ status: 1, output: 'REVOKED: TaskRevokedError: expired\n' })
    const pending = await folder.run(['-A', 'tasks.mjs', 'result', held.output.trim()])
    expect(pending.status).toBe(1)
    const unknown = await folder.run(['-A', 'tasks.mjs', 'result', 'x', '-t', 'more.twic'])
    expect(unknown.log).toContain('did you mean "more.twice"?')
  })
})

test('APP-028 app.start() is the command with that app, and gives its exit status', async () => {
  folder.write(
    'start.mjs',
    `import { app } from './tasks.mjs'
const statuses = [await app.start(['call', 'proj.tasks.add', '-a', '[3, 4]', '--queue', 'started']), await app.start(['nonsense'])]
const worker = app.start(['worker', '-Q', 'started', '-l', 'info'])
process.stderr.write('statuses ' + statuses)
process.exitCode = 10 + (await worker)
await app.close()
`,
  )
  const { spawn } = await import('node:child_process')
  const program = spawn(process.execPath, ['start.mjs'], {
    cwd: folder.path,
    env: { ...process.env, CELERY_LOCAL: folder.broker },
  })
  let log = ''
  let told = false
  program.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    log += chunk
    if (told || !log.includes('succeeded')) return
    told = true
    program.kill('SIGTERM')
  })
  const [status] = await new Promise<readonly [number | null]>((resolve) =>
    program.on('close', (code) => resolve([code])),
  )
  expect(log).toContain('statuses 0,64')
  expect(log).toMatch(/succeeded in .*: 7/)
  expect(status).toBe(10)
})
