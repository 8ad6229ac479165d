import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SYSTEM_PYTHON } from '@celery/test-servers'

const packageFolder = fileURLToPath(new URL('..', import.meta.url))
const packagesFolder = dirname(packageFolder)
const workspaceRoot = fileURLToPath(new URL('../../..', import.meta.url))
const celeryBin = join(packageFolder, 'bin', 'celery.js')
const compiler = join(workspaceRoot, 'node_modules', '.bin', 'tsc')
/** What `npx tsx` runs; the command brings it. */
const tsx = createRequire(createRequire(import.meta.url).resolve('@celery/cli')).resolve('tsx/cli')

const deadlineMs = 60_000

/** A folder outside the workspace with `celery` and its parts installed, as a user has it. Programs run in processes of their own. */
export class ProjectFolder implements AsyncDisposable {
  readonly path: string = mkdtempSync(join(tmpdir(), 'celery-project-'))
  readonly #workers: WorkerProgram[] = []
  readonly #env: Readonly<Record<string, string>>

  /** @param env - What its programs find in their environment besides that of this process. */
  constructor(env: Readonly<Record<string, string>> = {}) {
    this.#env = env
    this.write('package.json', '{ "private": true, "type": "module" }')
    const modules = join(this.path, 'node_modules')
    mkdirSync(modules)
    symlinkSync(packageFolder, join(modules, 'celery'))
    mkdirSync(join(modules, '@celery'))
    for (const name of readdirSync(packagesFolder)) {
      if (name !== 'celery') symlinkSync(join(packagesFolder, name), join(modules, '@celery', name))
    }
    symlinkSync(join(workspaceRoot, 'node_modules', '@types'), join(modules, '@types'))
  }

  write(file: string, content: string): void {
    mkdirSync(dirname(join(this.path, file)), { recursive: true })
    writeFileSync(join(this.path, file), content)
  }

  /** Starts `celery ARGUMENTS…` and waits until it says that it is ready. */
  async startWorker(...args: readonly string[]): Promise<WorkerProgram> {
    const worker = new WorkerProgram(this.#spawn(process.execPath, [celeryBin, ...args]))
    this.#workers.push(worker)
    await worker.untilLogged('ready.')
    return worker
  }

  /** Runs a program to its end and resolves to the lines it printed. @throws Error if it fails */
  async run(file: string): Promise<readonly string[]> {
    const args = file.endsWith('.ts') ? [tsx, file] : [file]
    return this.#finish(this.#spawn(process.execPath, args))
  }

  /** Runs a program in Python to its end. */
  async runPython(file: string): Promise<readonly string[]> {
    return this.#finish(this.#spawn(SYSTEM_PYTHON, [file]))
  }

  /** Runs `celery ARGUMENTS…` to its end. */
  async celery(...args: readonly string[]): Promise<readonly string[]> {
    return this.#finish(this.#spawn(process.execPath, [celeryBin, ...args]))
  }

  /** Type-checks and compiles by the folder's `tsconfig.json`. */
  async compile(): Promise<void> {
    await this.#finish(this.#spawn(compiler, []))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.kill()))
    rmSync(this.path, { recursive: true, force: true })
  }

  #spawn(command: string, args: readonly string[]): ChildProcess {
    const { CELERY_LOCAL: _local, CELERY_BROKER_URL: _broker, CELERY_RESULT_BACKEND: _backend, ...env } = process.env
    // `node_modules/.bin` holds shell scripts that look for Node on PATH: the one that runs the tests.
    const PATH = `${dirname(process.execPath)}:${env.PATH ?? ''}`
    return spawn(command, args, {
      cwd: this.path,
      env: { ...env, PATH, ...this.#env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  }

  async #finish(child: ChildProcess): Promise<readonly string[]> {
    const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)]
    const timer = setTimeout(() => child.kill('SIGKILL'), deadlineMs)
    const [status, signal] = (await once(child, 'close')) as [number | null, string | null]
    clearTimeout(timer)
    if (status !== 0) {
      throw new Error(`${child.spawnargs.join(' ')} ended with ${signal ?? status}:\n${stdout.text}${stderr.text}`)
    }
    return stdout.text.split('\n').slice(0, -1)
  }
}

/** A worker in another process. */
export class WorkerProgram {
  readonly #process: ChildProcess
  readonly #output: Collected
  readonly #log: Collected
  readonly #ended: Promise<[number | null, NodeJS.Signals | null]>

  constructor(process: ChildProcess) {
    this.#process = process
    this.#log = collect(process.stderr)
    this.#output = collect(process.stdout)
    this.#ended = once(process, 'close') as Promise<[number | null, NodeJS.Signals | null]>
  }

  /** What it has printed: its banner, then its log. */
  get lines(): readonly string[] {
    return [this.#output, this.#log].flatMap(({ text }) => text.split('\n'))
  }

  async untilLogged(text: string): Promise<void> {
    const signal = AbortSignal.timeout(deadlineMs)
    while (!this.#log.text.includes(text)) {
      if (this.#process.exitCode !== null) throw new Error(`the worker ended early:\n${this.#log.text}`)
      const ended = this.#ended.then(() => {})
      await Promise.race([once(this.#process.stderr as NodeJS.EventEmitter, 'data', { signal }), ended])
    }
  }

  /** Sends the signal and resolves to the exit status, or to the signal that ended it instead. */
  async stop(signal: NodeJS.Signals): Promise<number | NodeJS.Signals | null> {
    this.#process.kill(signal)
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), deadlineMs)
    const [status, killedBy] = await this.#ended
    clearTimeout(timer)
    return status ?? killedBy
  }

  /** Whatever state it is in. Safe twice. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.#ended
  }
}

interface Collected {
  text: string
}

function collect(stream: NodeJS.ReadableStream | null): Collected {
  const collected: Collected = { text: '' }
  stream?.setEncoding('utf8').on('data', (chunk: string) => {
    collected.text += chunk
  })
  return collected
}
