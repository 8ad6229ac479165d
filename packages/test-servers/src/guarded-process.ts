import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { ProcessStartError } from './errors.ts'

/** How a process ended: with a status, or by a signal. */
export interface ExitStatus {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
}

export interface GuardedProcessOptions {
  readonly cwd?: string | undefined
  readonly env?: NodeJS.ProcessEnv | undefined
  /** A folder to remove if the test process dies; else removing it is the caller's task. */
  readonly folder?: string | undefined
}

/**
 * A process that cannot outlive the one that started it, not even when that one is killed with SIGKILL.
 *
 * It leads a process group of its own. In that group a shell waits for the end of a pipe whose other end only we hold:
 * the kernel closes it however we die, and then the shell kills the group.
 */
export class GuardedProcess implements AsyncDisposable {
  readonly command: string
  readonly pid: number
  /** Resolves when it has ended and all of its output has been read. */
  readonly exited: Promise<ExitStatus>
  readonly #child: ChildProcess
  /** Called when output arrives, and when none will any more. */
  readonly #onOutput = new Set<() => void>()
  #output = ''
  #hasExited = false
  #isClosed = false

  private constructor(command: string, child: ChildProcess, pid: number) {
    this.command = command
    this.pid = pid
    this.#child = child
    const keep = (chunk: string): void => {
      this.#output = (this.#output + chunk).slice(-KEPT_OUTPUT)
      for (const listener of this.#onOutput) listener()
    }
    child.stdout?.setEncoding('utf8').on('data', keep)
    child.stderr?.setEncoding('utf8').on('data', keep)
    const guard = child.stdio[3] as Writable
    // The shell at the other end is killed before it reads anything; a reset pipe is no news.
    guard.on('error', () => {})
    child.once('exit', () => {
      this.#hasExited = true
      // What it started may outlive it: children of a killed worker, and our shell.
      this.#signalGroup('SIGKILL')
      guard.destroy()
    })
    this.exited = new Promise((resolve) => {
      child.once('close', (status, signal) => {
        this.#isClosed = true
        for (const listener of this.#onOutput) listener()
        resolve({ status, signal })
      })
    })
  }

  /**
   * @throws {ProcessStartError} if there is no such program.
   */
  static async start(
    command: string,
    args: readonly string[],
    options: GuardedProcessOptions = {},
  ): Promise<GuardedProcess> {
    const child = spawn('/bin/sh', ['-c', GUARD, 'sh', options.folder ?? '', command, ...args], {
      cwd: options.cwd,
      env: options.env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    })
    if (child.pid === undefined) {
      const [error] = await once(child, 'error')
      throw new ProcessStartError(command, `could not be started (${(error as Error).message})`, '')
    }
    return new GuardedProcess(command, child, child.pid)
  }

  /** What it printed so far, standard output and error mixed; at most the last 256 KiB. */
  output(): string {
    return this.#output
  }

  /**
   * Resolves to the match as soon as the output holds `pattern`.
   *
   * @throws {ProcessStartError} when the process ends first, or after `timeoutMs`. @defaultValue `30_000`
   */
  waitForOutput(pattern: RegExp, { timeoutMs = 30_000 }: { timeoutMs?: number } = {}): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const fail = (reason: string): void => {
        forget()
        reject(new ProcessStartError(this.command, reason, this.#output.slice(-4096)))
      }
      const look = (): void => {
        const match = pattern.exec(this.#output)
        if (match !== null) {
          forget()
          resolve(match)
        } else if (this.#isClosed) fail(`ended before it printed ${pattern}`)
      }
      const timer = setTimeout(() => fail(`did not print ${pattern} within ${timeoutMs} ms`), timeoutMs)
      const forget = (): void => {
        clearTimeout(timer)
        this.#onOutput.delete(look)
      }
      this.#onOutput.add(look)
      look()
    })
  }

  /** Sends a signal to the process itself, and to nobody once it has ended. */
  signal(name: NodeJS.Signals): void {
    if (!this.#hasExited) this.#child.kill(name)
  }

  /** Ends it as a crash would: SIGKILL to it and to everything that it started. */
  async kill(): Promise<void> {
    if (!this.#hasExited) this.#signalGroup('SIGKILL')
    await this.exited
  }

  /** Asks it to end with SIGTERM, and after `graceMs` kills it. Safe to call again. @defaultValue `10_000` */
  async stop({ graceMs = 10_000 }: { graceMs?: number } = {}): Promise<void> {
    this.signal('SIGTERM')
    // A stopped process only hears SIGKILL until it is continued.
    this.signal('SIGCONT')
    const timer = setTimeout(() => this.#signalGroup('SIGKILL'), graceMs)
    await this.exited
    clearTimeout(timer)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  #signalGroup(name: NodeJS.Signals): void {
    try {
      process.kill(-this.pid, name)
    } catch (error) {
      // Nobody is left in the group.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
}

const KEPT_OUTPUT = 256 * 1024

/**
 * Arguments: the folder to remove (or nothing), then the command and its arguments. Descriptor 3 is the pipe.
 * `exec` keeps the process id, so `$$` is the server and also names its group, the watching shell's too.
 */
const GUARD = `
folder=$1
shift
{
  read -r _ <&3
  kill -KILL $$
  [ -z "$folder" ] || rm -rf "$folder"
  kill -KILL -$$
} >/dev/null 2>&1 &
exec "$@" 3<&-
`
