import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Celery } from '../src/index.ts'
import { CommandFolder } from './command-folder.ts'

const tasks = `import { Celery } from 'celery'
export const app = new Celery('example')
app.task('add', (x, y) => x + y, { params: ['x', 'y'] })
`
/** Knows a task more. */
const mended = `import { app } from './tasks.mjs'
app.task('mul', (x, y) => x * y)
export { app }
`
const hostile = 'evil\n\u001b[31mred\u2028\u202e'

let folder: CommandFolder

beforeAll(() => {
  folder = new CommandFolder({ 'tasks.mjs': tasks, 'mended.mjs': mended })
})

afterAll(() => folder[Symbol.dispose]())

const celery = (...args: readonly string[]) => folder.run(['-A', 'tasks.mjs', ...args])

/** Puts calls among the dead letters, as a worker does that does not know their task. */
async function bury(
  queue: string,
  ...calls: readonly (readonly [string, readonly unknown[]])[]
): Promise<readonly string[]> {
  const url = `sqlite:///${folder.broker}`
  await using client = new Celery('client', { broker: url, backend: url, setAsCurrent: false })
  await using connection = client.connectionForWrite()
  const broker = await connection.broker()
  const ids: string[] = []
  for (const [task, args] of calls) {
    ids.push((await client.sendTask(task, args, { queue })).id)
    const deliveries = await broker.fetch([queue], { max: 1, signal: AbortSignal.timeout(10_000) })
    const action = {
      type: 'dead',
      reason: `no task "${task}" is registered${args[0] === hostile ? hostile : ''}`,
    } as const
    await broker.settle(deliveries.map((delivery) => ({ delivery, action })))
  }
  return ids
}

// Every step is a process.
describe('celery dead', { timeout: 120_000 }, () => {
  test('list has a line for each, show all there is to say, and requeue gives it to a worker that knows the task', async () => {
    const [id = ''] = await bury('mending', ['mul', [6, 7]])
    const listed = await celery('dead', 'list', '-Q', 'mending')
    expect(listed).toMatchObject({ status: 0 })
    expect(listed.output).toBe(`${id}  mul  mending  no task "mul" is registered\n`)
    const shown = await celery('dead', 'show', id, '-Q', 'mending')
    expect(shown.status).toBe(0)
    expect(shown.output.replace(/gen\d+@\S+/, 'gen1@host')).toBe(`\
id:           ${id}
task:         mul
queue:        mending
reason:       no task "mul" is registered
args:         (6, 7)
kwargs:       {}
sent by:      gen1@host
content type: application/json
body:         [[6,7],{},{"callbacks":null,"errbacks":null,"chain":null,"chord":null}]
`)
    const requeued = await celery('dead', 'requeue', id, '-Q', 'mending')
    expect(requeued).toMatchObject({ status: 0, output: 'Put 1 message back into mending.\n' })
    expect((await celery('dead', 'list', '-Q', 'mending')).output).toBe('')
    const worker = folder.start(['-A', 'mended.mjs', 'worker', '-P', 'solo', '-Q', 'mending', '-l', 'info'])
    await worker.untilLogged('succeeded')
    worker.signal('SIGTERM')
    await worker.exit()
    expect(await celery('result', id)).toMatchObject({ status: 0, output: '42\n' })
  })

  test('H-32 shows nothing of a message that could write into a terminal, and 1 KiB of a body at most', async () => {
    const [id = ''] = await bury('hostile', ['x', [hostile, 'ü'.repeat(3_000)]])
    const { output } = await celery('dead', 'show', id, '-Q', 'hostile')
    expect(output).toContain('is registeredevil\\n\\x1b[31mred\\u2028\\u202e\n')
    expect(output).toContain("args:         ('evil\\n\\x1b[31mred")
    expect(output).toContain('body:         [["evil\\n\\u001b[31mred')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about.
    expect(output).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u202e]/)
    const body = output.split('\n').find((line) => line.startsWith('body:')) ?? ''
    expect(body).toMatch(/ü … \(\d{4} bytes\)$/)
    expect(Buffer.byteLength(body)).toBeLessThan(1_100)
  })

  test('purge deletes those that are named, or all', async () => {
    const [first = '', second = ''] = await bury('purging', ['x', [1]], ['x', [2]], ['x', [3]])
    const asked = await celery('dead', 'purge', first, '-Q', 'purging')
    expect(asked.status).toBe(64)
    expect(asked.log).toContain('say -f')
    const one = await celery('dead', 'purge', '-f', first, '-Q', 'purging')
    expect(one).toMatchObject({ status: 0, output: 'Deleted 1 message of purging.\n' })
    expect((await celery('dead', 'list', '-Q', 'purging')).output).toContain(second)
    const all = await celery('dead', 'purge', '--all', '-f', '-Q', 'purging,nothing')
    expect(all.output).toBe('Deleted 2 messages of purging.\nDeleted 0 messages of nothing.\n')
    expect(await celery('dead', 'list', '-Q', 'purging')).toMatchObject({ status: 0, output: '' })
  })

  test('list --limit says that there are more', async () => {
    await bury('many', ['x', [1]], ['x', [2]])
    const { log, output } = await celery('dead', 'list', '--limit', '1', '-Q', 'many')
    expect(output.trim().split('\n')).toHaveLength(1)
    expect(log).toContain('there are more from many; see --limit')
  })

  test.each([
    [['show', 'no-such-id'], 1, /there is no dead message "no-such-id": celery dead list shows/],
    [['requeue', 'no-such-id'], 1, /there is no dead message "no-such-id"/],
    [['requeue'], 64, /which ones\? Give their ids, or --all/],
    [['requeue', 'x', '--all'], 64, /which ones\?/],
    [['purge', '-f'], 64, /which ones\?/],
    [['show'], 64, /missing required argument 'ids'/],
    [['lst'], 64, /unknown command 'lst'\s+\(Did you mean list\?\)/],
  ] as const)('%j ends with status %d', async (args, status, message) => {
    const end = await celery('dead', ...args)
    expect(end.log).toMatch(message)
    expect(end.status).toBe(status)
  })
})
