/** What Linux tells about processes, by way of `/proc`. */
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

interface ProcessStatus {
  /** One letter: `T` is stopped, `Z` has ended and waits to be collected. */
  readonly state: string
  readonly parent: number
  readonly group: number
}

/** Stops a process and resolves when it and all of its threads stand still; to `false` if it has ended before. */
export async function pauseProcess(pid: number): Promise<boolean> {
  if (!signal(pid, 'SIGSTOP')) return false
  for (;;) {
    const states = threadStates(pid)
    if (states.length === 0 || states.includes('Z')) return false
    if (states.every((state) => state === 'T')) return true
    await sleep(1)
  }
}

/** Whether the signal was sent. `pid` may be a group, negative. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}

/** Whether `pid` is alive and a child of `parent`: a process id may have been given to another process. */
export function isChildOf(pid: number, parent: number): boolean {
  const status = readStatus(`/proc/${pid}`)
  return status !== undefined && status.parent === parent && status.state !== 'Z'
}

/** The processes of a group that have not ended. */
export function groupMembers(group: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      const status = readStatus(`/proc/${name}`)
      return status !== undefined && status.group === group && status.state !== 'Z'
    })
    .map(Number)
}

/** Resolves to the milliseconds until no process of the group was left, or to `undefined` if some still are after `limitMs`. */
export async function groupGone(group: number, limitMs: number): Promise<number | undefined> {
  const started = performance.now()
  for (;;) {
    const passedMs = performance.now() - started
    if (groupMembers(group).length === 0) return Math.round(passedMs)
    if (passedMs > limitMs) return undefined
    await sleep(50)
  }
}

function threadStates(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
      .map((thread) => readStatus(`/proc/${pid}/task/${thread}`)?.state)
      .filter((state) => state !== undefined)
  } catch {
    return []
  }
}

function readStatus(folder: string): ProcessStatus | undefined {
  let text: string
  try {
    text = readFileSync(`${folder}/stat`, 'utf8')
  } catch {
    // It ended between being listed and being read.
    return undefined
  }
  // The second field is the name in parentheses and may hold anything.
  const [state = '', parent, group] = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { state, parent: Number(parent), group: Number(group) }
}
