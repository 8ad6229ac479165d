import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { GuardedProcess } from './guarded-process.ts'
import { requireServer, SYSTEM_PYTHON } from './servers.ts'

/** The Python module that declares `app` and its tasks: as text, or as a file. */
export type PythonApp = { readonly appSource: string } | { readonly appPath: string }

interface PythonWorkerSettings {
  readonly broker: string
  readonly backend?: string | undefined
  /** Options of `celery worker`, for example `['--concurrency=2']`. `--loglevel` and `--hostname` are set already. */
  readonly args?: readonly string[] | undefined
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>> | undefined
}

export type PythonWorkerOptions = PythonApp & PythonWorkerSettings

/** A worker of the original, for tests side by side. */
export interface PythonWorker extends AsyncDisposable {
  /** `name@host`, as in events and control commands. */
  readonly nodeName: string
  readonly pid: number
  /** What it has logged. */
  output(): string
  /** Resolves when it has logged a match; rejects with {@link ProcessStartError} when it ends first or is too late. */
  waitForOutput(pattern: RegExp, options?: { timeoutMs?: number }): Promise<RegExpExecArray>
  /** Ends it and its children as a crash would, with SIGKILL. */
  kill(): Promise<void>
  /** Warm shutdown. The same as disposing; safe to call again. */
  close(): Promise<void>
}

/**
 * Starts `celery worker` with the system's Python, and resolves when the worker is ready. Dispose it; if the test
 * process dies first, the worker dies too.
 *
 * @throws {MissingServerError} if Python Celery is not installed.
 * @throws {ProcessStartError} if the worker ends before it is ready, with what it logged.
 */
export async function startPythonCeleryWorker(options: PythonWorkerOptions): Promise<PythonWorker> {
  requireServer('python-celery')
  const folder = await mkdtemp(join(tmpdir(), 'celery-python-'))
  const worker = await launch(options, folder).catch(async (error) => {
    await rm(folder, { recursive: true, force: true })
    throw error
  })
  const close = async (): Promise<void> => {
    await worker.process.stop()
    await rm(folder, { recursive: true, force: true })
  }
  return {
    nodeName: worker.nodeName,
    pid: worker.process.pid,
    output: () => worker.process.output(),
    waitForOutput: (pattern, limits) => worker.process.waitForOutput(pattern, limits),
    kill: () => worker.process.kill(),
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function launch(
  options: PythonWorkerOptions,
  folder: string,
): Promise<{ process: GuardedProcess; nodeName: string }> {
  const path = 'appPath' in options ? options.appPath : join(folder, 'tasks.py')
  if ('appSource' in options) await writeFile(path, options.appSource)
  const name = `test-${randomBytes(4).toString('hex')}`
  const backend = options.backend === undefined ? [] : ['--result-backend', options.backend]
  const python = await GuardedProcess.start(
    SYSTEM_PYTHON,
    [
      ...['-m', 'celery', '--app', basename(path, '.py'), '--broker', options.broker, ...backend],
      ...['worker', '--loglevel=INFO', `--hostname=${name}@%h`, ...(options.args ?? [])],
    ],
    { cwd: dirname(path), folder, env: { ...process.env, ...PYTHON_ENVIRONMENT, ...options.env } },
  )
  try {
    const [, nodeName = name] = await python.waitForOutput(new RegExp(`(${name}@\\S+) ready\\.`))
    return { process: python, nodeName }
  } catch (error) {
    await python.kill()
    throw error
  }
}

const PYTHON_ENVIRONMENT = { PYTHONDONTWRITEBYTECODE: '1', PYTHONUNBUFFERED: '1' }
