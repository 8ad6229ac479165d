import { type ChildProcess, spawn } from 'node:child_process'

/** Reads lists of process groups, one line each. When its input ends the writer is gone, and it kills the last list. */
const script = `trap '' INT TERM HUP QUIT
groups=
while read -r line; do groups=$line; done
for group in $groups; do kill -KILL "-$group" 2>/dev/null; done`

/** Kills the process groups of a run when the program that started them dies, however it dies. */
export class Guard {
  readonly #shell: ChildProcess
  readonly #groups = new Set<number>()

  constructor() {
    this.#shell = spawn('/bin/sh', ['-c', script], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
    this.#shell.stdin?.on('error', () => {})
  }

  watch(group: number): void {
    this.#groups.add(group)
    this.#tell()
  }

  forget(group: number): void {
    this.#groups.delete(group)
    this.#tell()
  }

  /** Kills what is still watched. */
  close(): void {
    this.#shell.stdin?.end()
  }

  #tell(): void {
    this.#shell.stdin?.write(`${[...this.#groups].join(' ')}\n`)
  }
}
