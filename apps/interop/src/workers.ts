import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { GuardedProcess, startPythonCeleryWorker } from '@celery/test-servers'
import { pythonFolder } from './python-client.ts'
import { appFolder, type Language, type Setup, setupEnvironment } from './setup.ts'
import { patienceMs } from './until.ts'

export interface WorkerOptions {
  readonly setup: Setup
  /** Names of the queues to consume from. @defaultValue those of the setup */
  readonly queues?: readonly string[] | undefined
  /** Tasks run at the same time. @defaultValue `2` */
  readonly concurrency?: number | undefined
}

/** A worker of either side, consuming. */
export interface RunningWorker extends AsyncDisposable {
  readonly language: Language
  output(): string
  /** As `kill -9` of it and of its children. */
  kill(): Promise<void>
  /** Warm shutdown: what it has fetched and not begun goes back. */
  stop(): Promise<void>
}

export function startWorker(language: Language, options: WorkerOptions): Promise<RunningWorker> {
  return language === 'python' ? startPython(options) : startTypescript(options)
}

async function startPython({ concurrency = 2, queues, setup }: WorkerOptions): Promise<RunningWorker> {
  const worker = await startPythonCeleryWorker({
    appPath: join(pythonFolder, 'interop_app.py'),
    broker: setup.broker,
    backend: setup.backend,
    args: [`--concurrency=${concurrency}`, ...selection(queues)],
    env: setupEnvironment(setup),
  })
  return {
    language: 'python',
    output: () => worker.output(),
    kill: () => worker.kill(),
    stop: () => worker.close(),
    [Symbol.asyncDispose]: () => worker.close(),
  }
}

const require = createRequire(import.meta.url)
const command = join(dirname(require.resolve('celery')), '..', 'bin', 'celery.js')

async function startTypescript({ concurrency = 2, queues, setup }: WorkerOptions): Promise<RunningWorker> {
  const tasks = require.resolve('@celery-apps/interop/tasks')
  const options = ['--concurrency', String(concurrency), '--pool', 'prefork', '--loglevel', 'INFO']
  const name = `interop-${++started}`
  const worker = await GuardedProcess.start(
    process.execPath,
    [command, '-A', tasks, 'worker', ...options, '--hostname', `${name}@localhost`, ...selection(queues)],
    { cwd: appFolder, env: { ...process.env, ...setupEnvironment(setup) } },
  )
  try {
    await worker.waitForOutput(new RegExp(`${name}@localhost ready\\.`), { timeoutMs: patienceMs })
  } catch (error) {
    await worker.kill()
    throw error
  }
  return {
    language: 'typescript',
    output: () => worker.output(),
    kill: () => worker.kill(),
    stop: () => worker.stop({ graceMs: patienceMs }),
    [Symbol.asyncDispose]: () => worker.stop(),
  }
}

let started = 0

function selection(queues: readonly string[] | undefined): string[] {
  return queues === undefined ? [] : ['--queues', queues.join(',')]
}
