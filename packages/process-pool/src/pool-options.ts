import type { Clock } from '@celery/promises'
import type { ChildExit } from './pool-child.ts'

export interface ProcessPoolOptions {
  /** The module that a child loads: a path or a file URL of JavaScript that calls `serveJobs`. */
  readonly module: string | URL
  /** Children kept alive. */
  readonly size: number
  /** Handed to the `setup` of every child. JSON; travels over a pipe, so it may hold secrets. @defaultValue nothing */
  readonly init?: unknown
  /** Environment of the children. @defaultValue `process.env` */
  readonly env?: NodeJS.ProcessEnv
  /** Options for the `node` command. @defaultValue those of this process, without `--inspect` and the like */
  readonly execArgv?: readonly string[]
  /** Working directory of the children. @defaultValue that of this process */
  readonly cwd?: string
  /** Where the children's standard output goes; a number is a file descriptor. @defaultValue `'inherit'` */
  readonly stdout?: 'inherit' | 'ignore' | number
  /** Where the children's standard error goes. @defaultValue `'inherit'` */
  readonly stderr?: 'inherit' | 'ignore' | number
  /**
   * What a child is called in lists of processes: the last argument of its command, for people alone. Children are
   * numbered from 1; see `ChildInfo.index`. @defaultValue nothing
   */
  readonly label?: (index: number) => string
  /** Milliseconds a child gets to load its module and finish `setup`. @defaultValue `30_000` */
  readonly startTimeoutMs?: number
  /** Milliseconds a child gets to end by itself (its `onClose`) before it is killed. @defaultValue `5_000` */
  readonly exitTimeoutMs?: number
  /**
   * Milliseconds after which an idle child that does not start a job it was sent is killed and replaced; the job runs
   * elsewhere. @defaultValue `30_000`
   */
  readonly unresponsiveMs?: number
  /** A child is replaced after this many jobs. @defaultValue no limit */
  readonly maxJobsPerChild?: number
  /** A child is replaced when it uses more memory than this (resident set) after a job. @defaultValue no limit */
  readonly maxMemoryPerChildBytes?: number
  /**
   * Jobs that a child may hold at most, the running one included. More than one are sent only behind jobs known to be
   * short. They can be called back at any time, but a child that blocks its event loop answers only when that job
   * ends. @defaultValue `32`
   */
  readonly maxPipelined?: number
  readonly events?: ProcessPoolEvents
  /** @defaultValue the machine's clock */
  readonly clock?: Clock
}

export interface ProcessPoolEvents {
  onChildReady?(child: { readonly pid: number }): void
  /** Any end of a child: asked for, or not. */
  onChildExit?(exit: ChildExit): void
  /**
   * Something is wrong that no job tells: a child that cannot start, a corrupt frame, an error thrown by a callback.
   * @defaultValue a process warning; an error thrown by a callback becomes an uncaught exception
   */
  onError?(error: Error): void
}

/** A child as the pool's owner sees it. */
export interface ChildInfo {
  /** Its place in the pool, from 1: the lowest that is free, so that whoever replaces a child has its place. */
  readonly index: number
  readonly pid: number
  readonly state: 'starting' | 'ready' | 'leaving' | 'gone'
  /** Jobs it holds, the running one included. */
  readonly jobs: number
  /** Jobs it has finished. */
  readonly completed: number
}

/** The options of this process that a child must not repeat: a debugger's port is taken, and its code is a module. */
const OWN_ONLY = /^(--inspect|--watch|--test|--input-type|--interactive|-i$|--check|-c$)/
const OWN_WITH_VALUE = /^(-e|--eval|-p|--print|-pe)$/

export function inheritedExecArgv(execArgv: readonly string[] = process.execArgv): string[] {
  const kept: string[] = []
  for (let i = 0; i < execArgv.length; i += 1) {
    const argument = execArgv[i] as string
    if (OWN_WITH_VALUE.test(argument)) i += 1
    else if (!OWN_ONLY.test(argument)) kept.push(argument)
  }
  return kept
}
