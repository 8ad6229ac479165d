import { type ChildProcess, spawn } from 'node:child_process'

/**
 * Reads lists of process ids, one line each, and forgets all but the last. When its input ends, the writer is gone,
 * and it kills what is on that list.
 */
const SCRIPT = `trap '' INT TERM HUP QUIT
pids=
while read -r line; do pids=$line; done
[ -z "$pids" ] || kill -9 $pids 2>/dev/null`

/** No sooner than this after the last start is a watchdog that ended by itself started again. */
const RESTART_MS = 1_000

/**
 * Kills children whose parent died, even by SIGKILL. A child notices that by itself when its pipe closes, unless it is
 * blocked in synchronous code; this tiny shell process, in a session of its own, covers that case. Windows has no such
 * shell, there the pipe alone must do.
 */
export class OrphanWatchdog {
  #shell: ChildProcess | undefined
  #line = '\n'
  #startedAt = 0
  #closed = false

  start(): void {
    if (process.platform === 'win32' || this.#closed) return
    this.#startedAt = performance.now()
    const shell = spawn('/bin/sh', ['-c', SCRIPT], {
      stdio: ['pipe', 'ignore', 'ignore'],
      cwd: '/',
      env: {},
      detached: true,
    })
    this.#shell = shell
    shell.on('error', () => {})
    shell.on('exit', () => this.#onExit())
    shell.stdin?.on('error', () => {})
    shell.stdin?.write(this.#line)
    shell.unref()
    ;(shell.stdin as { unref?(): void } | null)?.unref?.()
  }

  /** Names the processes to kill if this one dies. */
  watch(pids: readonly number[]): void {
    this.#line = `${pids.join(' ')}\n`
    this.#shell?.stdin?.write(this.#line)
  }

  /** Ends the watchdog without killing anything. */
  close(): void {
    this.#closed = true
    this.#shell?.stdin?.end('\n')
  }

  #onExit(): void {
    this.#shell = undefined
    if (this.#closed) return
    setTimeout(() => this.start(), Math.max(0, RESTART_MS - (performance.now() - this.#startedAt))).unref()
  }
}
