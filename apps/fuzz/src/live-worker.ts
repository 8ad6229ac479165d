import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { type ExitStatus, GuardedProcess } from '@celery/test-servers'
import { type Setup, setupEnvironment } from './setup.ts'

const require = createRequire(import.meta.url)
const command = join(dirname(require.resolve('celery')), '..', 'bin', 'celery.js')

/** The worker under test: a process of its own, started by the `celery` command, with pool processes. */
export class LiveWorker {
  readonly #process: GuardedProcess
  #hasExited = false

  private constructor(process: GuardedProcess) {
    this.#process = process
    void process.exited.then(() => {
      this.#hasExited = true
    })
  }

  /** Does not wait until it consumes: the first task it runs tells. */
  static async start(setup: Setup): Promise<LiveWorker> {
    const tasks = require.resolve('@celery-apps/fuzz/tasks')
    const args = [command, '-A', tasks, 'worker', '--concurrency', '2', '--pool', 'prefork', '-l', 'error']
    const started = await GuardedProcess.start(process.execPath, [...args, '--hostname', 'fuzz@localhost'], {
      env: setupEnvironment(setup),
    })
    return new LiveWorker(started)
  }

  get hasExited(): boolean {
    return this.#hasExited
  }

  /** The end of what it printed. */
  get output(): string {
    return this.#process.output().slice(-4_096)
  }

  /** Resident memory of each of its processes, in bytes. */
  memory(): Map<number, number> {
    return new Map([this.#process.pid, ...this.children()].map((pid) => [pid, residentBytes(pid)]))
  }

  /** Milliseconds that its processes, and this one, have waited for a processor: those are the machine's, not the worker's. */
  waitedMs(): number {
    const pids = [process.pid, this.#process.pid, ...this.children()]
    return pids.reduce((sum, pid) => sum + queuedMs(pid), 0)
  }

  /** Its pool processes. */
  children(): readonly number[] {
    return nodeProcesses(this.#process.pid)
  }

  /** Warm shutdown. Resolves to how it ended. */
  async stop(): Promise<ExitStatus> {
    await this.#process.stop()
    return this.#process.exited
  }
}

/** Children of a process that run Node: the shell that guards the worker is one, too. */
function nodeProcesses(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => statusOf(pid, 'PPid') === String(parent) && isNode(pid))
}

function isNode(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith(process.execPath)
  } catch {
    return false
  }
}

function residentBytes(pid: number): number {
  return Number.parseInt(statusOf(pid, 'VmRSS') ?? '0', 10) * 1_024
}

/** 0 where the kernel keeps no such account. */
function queuedMs(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6
  } catch {
    return 0
  }
}

/** `undefined` where it has ended. */
function statusOf(pid: number, field: string): string | undefined {
  try {
    return new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  } catch {
    return undefined
  }
}
