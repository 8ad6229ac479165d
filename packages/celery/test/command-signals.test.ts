import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CommandFolder } from './command-folder.ts'
import { isAlive, until } from './scene.ts'

let folder: CommandFolder

beforeAll(() => {
  folder = new CommandFolder({
    'tasks.mjs': `import { Celery } from 'celery'
import { setTimeout } from 'node:timers/promises'
export const app = new Celery('example')
app.task('slow', async () => { await setTimeout(500); return 'done' })
`,
  })
})

afterAll(() => folder[Symbol.dispose]())

test('WORK-068 the same signal twice at once, as npx passes it on, is one warm stop', async () => {
  const { output: id } = await folder.run(['-A', 'tasks.mjs', 'call', 'slow', '--queue', 'twice'])
  const worker = folder.start(['-A', 'tasks.mjs', 'worker', '-P', 'async', '-Q', 'twice', '-l', 'info'])
  await worker.untilLogged('received')
  worker.signal('SIGTERM')
  worker.signal('SIGTERM')
  expect(await worker.exit()).toBe(0)
  expect(worker.log.match(/SIGTERM: /g)).toHaveLength(1)
  expect((await folder.run(['-A', 'tasks.mjs', 'result', id.trim()])).output).toBe('done\n')
})

test('a worker that a package runner has started stops when that is gone', async () => {
  const celery = new URL('../bin/celery.js', import.meta.url).pathname
  const pidFile = join(folder.path, 'runner.pid')
  const args = ['-A', 'tasks.mjs', 'worker', '-P', 'solo', '-Q', 'runner', '--pidfile', pidFile, '-l', 'info']
  // As npx does: a shell between it and the command, which does not pass signals on.
  const runner = spawn('/bin/sh', ['-c', `'${process.execPath}' '${celery}' ${args.join(' ')}; exit $?`], {
    cwd: folder.path,
    env: { ...process.env, CELERY_LOCAL: folder.broker, npm_config_user_agent: 'npm/10.8.2 node/v22.14.0 linux x64' },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let log = ''
  runner.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    log += chunk
  })
  await until(() => log.includes('ready.'), 'the worker to be ready')
  const worker = Number(readFileSync(pidFile, 'utf8'))
  expect(worker).not.toBe(runner.pid)
  runner.kill('SIGKILL')
  // Its standard error is the worker's too, and closes with that.
  await once(runner, 'close')
  await until(() => !isAlive(worker), 'the worker to end')
  expect(log).toContain('npm, which started this, has ended')
  expect(log).toContain('SIGTERM: warm shutdown')
})
