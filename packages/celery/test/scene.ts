import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Delivery, QueueInfo } from '@celery/transport'
import { Celery, ResultTimeoutError, type SettingsInput } from '../src/index.ts'

const celeryBin = fileURLToPath(new URL('../bin/celery.js', import.meta.url))
const fixtures = fileURLToPath(new URL('./fixtures/', import.meta.url))

const deadlineMs = 60_000

export interface SceneOptions {
  /** Of the workers. */
  readonly settings?: SettingsInput
  /** Module of the workers, in `fixtures`. @defaultValue `'tasks.mjs'` */
  readonly module?: string
  /** Of the workers, besides that of this process. */
  readonly env?: NodeJS.ProcessEnv
  /** File descriptor of what the workers write to standard error. @defaultValue it is kept as their `log` */
  readonly stderr?: number
  /** Where the broker's file is. @defaultValue the folder of the scene */
  readonly brokerFolder?: string
}

/** One embedded broker in a folder of its own, its workers in processes of their own, and a client here. */
export class Scene implements AsyncDisposable {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'celery-scene-'))
  readonly ledgerFile: string = join(this.folder, 'ledger')
  /** The broker's file. */
  readonly broker: string
  readonly client: Celery
  readonly #options: SceneOptions
  readonly #workers: WorkerProcess[] = []

  constructor(options: SceneOptions = {}) {
    this.#options = options
    this.broker = join(options.brokerFolder ?? this.folder, 'queue.db')
    const url = `sqlite:///${this.broker}`
    this.client = new Celery('client', { broker: url, backend: url })
    writeFileSync(this.ledgerFile, '')
  }

  /** Starts `celery worker ARGUMENTS…` and waits until it is ready. */
  async startWorker(...args: readonly string[]): Promise<WorkerProcess> {
    const worker = this.spawnWorker(...args)
    await worker.untilLogged(' ready.')
    return worker
  }

  /** Starts one and does not wait. */
  spawnWorker(...args: readonly string[]): WorkerProcess {
    return this.spawnWorkerOf(this.#options.module ?? 'tasks.mjs', ...args)
  }

  /** As that, of another module in `fixtures`. */
  spawnWorkerOf(module: string, ...args: readonly string[]): WorkerProcess {
    const { settings, stderr } = this.#options
    const env = {
      ...process.env,
      CELERY_LOCAL: this.broker,
      CELERY_RUNTIME_DIR: join(this.folder, 'run'),
      FIXTURE_LEDGER: this.ledgerFile,
      FIXTURE_FOLDER: this.folder,
      FIXTURE_SETTINGS: JSON.stringify(settings ?? {}),
      ...this.#options.env,
    }
    const command = ['-A', join(fixtures, module), 'worker', '-l', 'info', ...args]
    const worker = new WorkerProcess(command, env, process.cwd(), stderr)
    this.#workers.push(worker)
    return worker
  }

  /** Sends a task and returns its id. */
  async send(task: string, ...args: readonly unknown[]): Promise<string> {
    return (await this.client.sendTask(task, args)).id
  }

  /** Lets the tasks `until-released` and `blocked-until-released` end. */
  release(): void {
    writeFileSync(join(this.folder, 'released'), '')
  }

  /** What a task returned; its error is thrown. */
  async value(id: string): Promise<unknown> {
    try {
      return await this.client.asyncResult(id).get({ timeout: deadlineMs / 1_000 })
    } catch (error) {
      if (error instanceof ResultTimeoutError) throw new Error(`${error.message}\n${await this.#report()}`)
      throw error
    }
  }

  /** Waits for the end of a task and describes it: `SUCCESS 3`, `FAILURE TypeError: no`. */
  async outcome(id: string): Promise<string> {
    const value = await this.value(id).catch((error: unknown) => error)
    const text = value instanceof Error ? `${value.name}: ${value.message}` : String(value)
    return `${await this.state(id)} ${text}`
  }

  async state(id: string): Promise<string> {
    return this.client.asyncResult(id).state()
  }

  ledger(): readonly LedgerLine[] {
    const lines = readFileSync(this.ledgerFile, 'utf8').split('\n').slice(0, -1)
    return lines.map((line) => {
      const [what = '', task = '', id = '', pid = '', at = ''] = line.split(' ')
      return { what: what as LedgerLine['what'], task, id, pid: Number(pid), at: Number(at) }
    })
  }

  starts(id?: string): readonly LedgerLine[] {
    return this.ledger().filter((line) => line.what === 'start' && (id === undefined || line.id === id))
  }

  ends(id?: string): readonly LedgerLine[] {
    return this.ledger().filter((line) => line.what === 'end' && (id === undefined || line.id === id))
  }

  /** Waits until so many runs of the task have begun and returns the last. */
  async untilStarted(id: string, times = 1): Promise<LedgerLine> {
    await until(() => this.starts(id).length >= times, `task ${id} to start ${times} times`)
    return this.starts(id)[times - 1] as LedgerLine
  }

  async queue(name = 'celery'): Promise<QueueInfo> {
    const connection = this.client.connectionForRead()
    try {
      return await (await connection.broker()).declareQueue({ name })
    } finally {
      await connection.close()
    }
  }

  /** Waits until nothing is ready, held back or held. */
  async untilEmpty(name = 'celery'): Promise<void> {
    await untilAsync(async () => {
      const { delayed, held, ready } = await this.queue(name)
      return ready + delayed + held === 0
    }, `queue ${name} to be empty`)
  }

  /** Takes what lies with the dead letters out of there. */
  async deadLetters(atLeast = 1, queue = 'celery.dead'): Promise<readonly Delivery[]> {
    const connection = this.client.connectionForRead()
    try {
      const broker = await connection.broker()
      const taken: Delivery[] = []
      while (taken.length < atLeast) {
        taken.push(...(await broker.fetch([queue], { max: 100, signal: AbortSignal.timeout(deadlineMs) })))
      }
      await broker.settle(taken.map((delivery) => ({ delivery })))
      return taken
    } finally {
      await connection.close()
    }
  }

  /** What can be seen from here, for a test that fails. */
  async #report(): Promise<string> {
    const queue = JSON.stringify(await this.queue())
    return [queue, readFileSync(this.ledgerFile, 'utf8'), ...this.#workers.map(({ log }) => log)].join('\n')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.dispose()))
    await this.client.close()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

export interface LedgerLine {
  readonly what: 'start' | 'end'
  readonly task: string
  readonly id: string
  readonly pid: number
  readonly at: number
}

/** A `celery` command in another process. */
export class CeleryProcess {
  readonly process: ChildProcess
  readonly ended: Promise<number | NodeJS.Signals>
  /** As `ended`, when all that it wrote is here too: nobody has its pipes any more. */
  readonly #closed: Promise<number | NodeJS.Signals>
  /** Standard error. */
  log = ''
  output = ''

  constructor(
    args: readonly string[],
    env: NodeJS.ProcessEnv = process.env,
    cwd: string = process.cwd(),
    stderr: 'pipe' | number = 'pipe',
  ) {
    this.process = spawn(process.execPath, [celeryBin, ...args], { env, cwd, stdio: ['ignore', 'pipe', stderr] })
    this.process.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      this.log += chunk
    })
    this.process.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      this.output += chunk
    })
    this.ended = once(this.process, 'exit').then(([status, signal]) => status ?? signal)
    this.#closed = once(this.process, 'close').then(([status, signal]) => status ?? signal)
  }

  get pid(): number {
    return this.process.pid as number
  }

  async untilLogged(text: string): Promise<void> {
    await until(() => {
      if (this.log.includes(text)) return true
      if (this.process.exitCode !== null) throw new Error(`the process ended early:\n${this.output}${this.log}`)
      return false
    }, `the log to say "${text}"`).catch((error: unknown) => {
      throw new Error(`${(error as Error).message}; it says:\n${this.log}`)
    })
  }

  signal(signal: NodeJS.Signals): void {
    this.process.kill(signal)
  }

  /** Resolves to the exit status, or the signal that ended it, when its log and output are whole. */
  async exit(): Promise<number | NodeJS.Signals> {
    const late = AbortSignal.timeout(deadlineMs)
    const timedOut = once(late, 'abort').then(() => {
      throw new Error(`the process, or one that it started, did not end; it says:\n${this.log}`)
    })
    return Promise.race([this.#closed, timedOut])
  }
}

/** A worker in another process. */
export class WorkerProcess extends CeleryProcess {
  readonly #seen = new Set<number>()

  /** Its pool processes: children that run `node`. */
  children(): readonly number[] {
    const pids = childrenOf(this.pid).filter((pid) => commandOf(pid).startsWith(process.execPath))
    for (const pid of pids) this.#seen.add(pid)
    return pids
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | NodeJS.Signals> {
    this.signal(signal)
    return this.exit()
  }

  async dispose(): Promise<void> {
    this.children()
    this.signal('SIGCONT')
    this.signal('SIGKILL')
    await this.ended
    for (const pid of this.#seen) if (isAlive(pid)) process.kill(pid, 'SIGKILL')
  }
}

function childrenOf(pid: number): readonly number[] {
  const tasks = `/proc/${pid}/task`
  if (!existsSync(tasks)) return []
  return readdirSync(tasks).flatMap((thread) => {
    try {
      return readFileSync(`${tasks}/${thread}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)
    } catch {
      // The thread has ended meanwhile.
      return []
    }
  })
}

export function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}

/** Whether the process runs; one that has ended and was not waited for does not. */
export function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

/** Waits for something that happens in another process and tells nobody. */
export async function until(holds: () => boolean, what: string, timeoutMs: number = deadlineMs): Promise<void> {
  await untilAsync(async () => holds(), what, timeoutMs)
}

export async function untilAsync(
  holds: () => Promise<boolean>,
  what: string,
  timeoutMs: number = deadlineMs,
): Promise<void> {
  const end = performance.now() + timeoutMs
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`waited ${timeoutMs} ms for ${what}`)
    await sleep(10)
  }
}

export async function timed<Value>(run: () => Promise<Value>): Promise<readonly [Value, number]> {
  const started = performance.now()
  return [await run(), performance.now() - started]
}
