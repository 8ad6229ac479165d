import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Guard } from './guard.ts'
import { groupGone, signal } from './processes.ts'

export interface ProcessExit {
  readonly status: number | null
  readonly signal: string | null
}

export interface GroupProcessOptions {
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
  /** File to which its output is appended. */
  readonly output: string
  readonly guard: Guard
}

/** Milliseconds that orphans get to end; F-03 promises two seconds, and the machine may be busy. */
const orphanLimitMs = 5_000

/** A Node process that leads a process group of its own, in which its children are too. */
export class GroupProcess {
  readonly pid: number
  readonly exited: Promise<ProcessExit>
  readonly #guard: Guard
  #hasExited = false
  /** It ended because we wanted it to. */
  isExpected = false

  constructor(options: GroupProcessOptions) {
    const output = openSync(options.output, 'a', 0o600)
    let child: ChildProcess
    try {
      child = spawn(process.execPath, options.args, {
        env: options.env,
        detached: true,
        stdio: ['ignore', output, output],
      })
    } finally {
      closeSync(output)
    }
    this.pid = child.pid ?? 0
    if (this.pid === 0) throw new Error(`cannot start ${options.args.join(' ')}`)
    this.#guard = options.guard
    this.#guard.watch(this.pid)
    this.exited = new Promise((resolve) => {
      child.once('exit', (status, name) => {
        this.#hasExited = true
        resolve({ status, signal: name })
      })
    })
  }

  get hasExited(): boolean {
    return this.#hasExited
  }

  /** SIGKILL to the process alone, not to its children. */
  kill(): void {
    this.isExpected = true
    signal(this.pid, 'SIGKILL')
  }

  /** Resolves, when it has ended, to the milliseconds until its children had ended too; `undefined` if they did not. */
  async orphansGone(): Promise<number | undefined> {
    await this.exited
    const passedMs = await groupGone(this.pid, orphanLimitMs)
    if (passedMs === undefined) signal(-this.pid, 'SIGKILL')
    this.#guard.forget(this.pid)
    return passedMs
  }

  /** Warm shutdown. Resolves to whether it ended within `limitMs`; else it was killed. */
  async stop(limitMs: number): Promise<boolean> {
    this.isExpected = true
    signal(this.pid, 'SIGTERM')
    const limit = new AbortController()
    const stopped = await Promise.race([
      this.exited.then(() => true),
      sleep(limitMs, false, { signal: limit.signal }).catch(() => false),
    ])
    limit.abort()
    if (!stopped) signal(-this.pid, 'SIGKILL')
    return stopped
  }
}
