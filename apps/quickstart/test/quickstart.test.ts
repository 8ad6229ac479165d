import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Celery } from 'celery'
import { describe, expect, onTestFinished, test } from 'vitest'

const program = fileURLToPath(new URL('../dist/main.js', import.meta.url))

describe('the quickstart', { timeout: 60_000 }, () => {
  test('does more files than are in flight at a time, and lists one that went away', async () => {
    const { folder, start } = await setUp(600)
    const run = start()
    await run.says('Celery quickstart: 600 files')
    // The worker is a new process and has not even begun.
    await rm(join(folder, '0.txt'))
    expect(await run.status).toBe(0)
    expect(run.output()).toContain('600/600')
    expect(run.output()).toContain('1 could not be read:\n\n  0.txt: ENOENT')
    expect(run.output()).toMatch(/\d+ tasks\/s: .*\n$/)
  })

  test('leaves nothing in its queue when it is interrupted', async () => {
    const { start, waiting } = await setUp(5_000)
    const run = start()
    await run.says('1250/5000')
    run.process.kill('SIGINT')
    expect(await run.status).toBe(130)
    expect(run.output()).toContain('quickstart: interrupted')
    expect(await waiting()).toBe(0)
  })

  test('ends at once when its worker does', async () => {
    const { start } = await setUp(5_000)
    const run = start()
    await run.says('1250/5000')
    process.kill(Number(/worker {2}process (\d+)/.exec(run.output())?.[1]), 'SIGKILL')
    expect(await run.status).toBe(1)
    expect(run.output()).toContain('quickstart: the worker ended by SIGKILL')
  })

  test('leaves alone what others have in the default queue of the same file', async () => {
    const { start, app } = await setUp(3)
    const result = await app.sendTask('others.task', [])
    const run = start()
    expect(await run.status).toBe(0)
    expect(await result.state()).toBe('PENDING')
  })
})

async function setUp(files: number) {
  const root = await mkdtemp(join(tmpdir(), 'celery-quickstart-'))
  onTestFinished(() => rm(root, { recursive: true }))
  const folder = join(root, 'files')
  await mkdir(folder)
  for (let index = 0; index < files; index++) await writeFile(join(folder, `${index}.txt`), 'one two three')
  const file = join(root, 'queue.db')
  const url = `sqlite:///${file}`
  const app = new Celery('observer', { broker: url, backend: url })
  onTestFinished(() => app.close())
  return {
    folder,
    app,
    start: () => start(folder, file),
    async waiting() {
      await using connection = app.connectionForRead()
      return (await (await connection.broker()).declareQueue({ name: 'quickstart' })).ready
    },
  }
}

function start(folder: string, file: string) {
  const child: ChildProcess = spawn(process.execPath, [program, folder], {
    env: { ...process.env, CELERY_LOCAL: file },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += String(chunk)))
  return {
    process: child,
    output: () => output,
    status: once(child, 'close').then(([status]) => status as number),
    async says(text: string) {
      while (!output.includes(text)) await once(child.stdout as NodeJS.ReadableStream, 'data')
    },
  }
}
