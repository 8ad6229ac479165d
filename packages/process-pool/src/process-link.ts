import { type ChildProcess, spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import type { Socket } from 'node:net'
import type { ChildLink, ChildLinkEvents, ConnectChild } from './child-link.ts'

/** How child processes are started. */
export interface ProcessSpec {
  readonly env: NodeJS.ProcessEnv
  readonly execArgv: readonly string[]
  readonly cwd: string | undefined
  readonly stdout: 'inherit' | 'ignore' | number
  readonly stderr: 'inherit' | 'ignore' | number
  readonly label: ((index: number) => string) | undefined
}

const require = createRequire(import.meta.url)

/** Children that are processes of their own. */
export function processLinks(spec: ProcessSpec): ConnectChild {
  return (module, events, index) => new ProcessLink(spec, module, events, index)
}

class ProcessLink implements ChildLink {
  readonly pid: number
  readonly #process: ChildProcess
  readonly #jobs: Socket | undefined
  readonly #replies: Socket | undefined

  constructor(spec: ProcessSpec, module: string, events: ChildLinkEvents, index: number) {
    const main = require.resolve('@celery/process-pool/child-main')
    // Nobody reads it but people: unlike a title, it neither hides nor cuts the rest of the command line.
    const labels = spec.label === undefined ? [] : [spec.label(index)]
    this.#process = spawn(process.execPath, [...spec.execArgv, main, module, ...labels], {
      cwd: spec.cwd,
      env: spec.env,
      // Descriptors 3 and 4: see frame.ts.
      stdio: ['ignore', spec.stdout, spec.stderr, 'pipe', 'pipe'],
      windowsHide: true,
    })
    this.pid = this.#process.pid ?? 0
    // Without a free file descriptor there is no `stdio`; an 'error' event follows.
    const [, , , jobs, replies] = (this.#process.stdio ?? []) as unknown as (Socket | undefined)[]
    this.#jobs = jobs
    this.#replies = replies
    // A write to a child that has ended fails; that it has ended is told by its other pipe and its exit status.
    jobs?.on('error', () => {})
    this.#process.on('error', (error) => {
      if (this.#process.pid === undefined) events.onStartError(error)
    })
    this.#process.on('exit', (exitCode, signal) => events.onExit(exitCode, signal))
    replies?.on('data', (chunk: Buffer) => events.onBytes(chunk))
    replies?.on('error', () => {})
    replies?.on('close', () => events.onDrained())
  }

  write(bytes: Uint8Array, done: () => void): void {
    this.#jobs?.write(bytes, done)
  }

  kill(): void {
    this.#process.kill('SIGKILL')
  }

  abandon(): void {
    this.#replies?.destroy()
  }
}
