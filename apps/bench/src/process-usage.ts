import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** Memory of a process, in MiB. */
export interface ProcessMemory {
  /** Resident set: all pages in memory, those shared with other processes included. */
  readonly rss: number
  /** Proportional set: each shared page counts in equal parts for the processes that share it. */
  readonly pss: number
}

/** `undefined` on platforms without `/proc`. */
export function memoryOf(pid: number): ProcessMemory | undefined {
  if (!existsSync('/proc/self/smaps_rollup')) return undefined
  return {
    rss: mebibytes(readFileSync(`/proc/${pid}/status`, 'utf8'), 'VmRSS'),
    pss: mebibytes(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'), 'Pss'),
  }
}

/** Linux counts in these, whatever its clock does. */
const ticksPerSecond = 100

/**
 * Processor time that a worker and its pool children have spent since they started, in seconds, all threads included.
 * `undefined` on platforms without `/proc`.
 */
export function processorSecondsOf(pid: number): number | undefined {
  if (!existsSync('/proc/self/stat')) return undefined
  return [pid, ...poolChildrenOf(pid)].reduce((sum, each) => sum + ticksOf(each), 0) / ticksPerSecond
}

/** Children that run the same program as their parent: those of a pool, and not the shell that watches over them. */
export function poolChildrenOf(pid: number): number[] {
  const program = readlinkSync(`/proc/${pid}/exe`)
  // Each thread lists the children that it has started.
  const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').trim().split(' '),
  )
  return children.filter((child) => child !== '' && readlinkSync(`/proc/${child}/exe`) === program).map(Number)
}

/** The name of the program, which may hold spaces, stands in parentheses before all figures but the first. */
function ticksOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const [user, system] = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number)
  return (user as number) + (system as number)
}

function mebibytes(text: string, field: string): number {
  const kibibytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]
  if (kibibytes === undefined) throw new Error(`no ${field} in ${JSON.stringify(text)}`)
  return Number(kibibytes) / 1_024
}
