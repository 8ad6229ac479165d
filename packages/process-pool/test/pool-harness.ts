import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type JobOutcome, type PoolJob, ProcessPool, type ProcessPoolOptions } from '../src/index.ts'

export function fixture(name: string): URL {
  return new URL(`./fixtures/${name}`, import.meta.url)
}

/** A started pool of children that do what a job's header says; see fixtures/jobs.mjs. */
export async function startPool(options: Partial<ProcessPoolOptions> = {}): Promise<ProcessPool> {
  const pool = new ProcessPool({ module: fixture('jobs.mjs'), size: 1, stderr: 'ignore', ...options })
  await pool.start()
  return pool
}

export interface SubmittedJob {
  readonly job: PoolJob
  /** Resolves with the child's pid when the job has started. */
  readonly started: Promise<number>
  readonly done: Promise<JobOutcome>
}

export type Action = { readonly do: string; readonly [argument: string]: unknown }

export function submit(pool: ProcessPool, header: Action, more: Partial<PoolJob> = {}): SubmittedJob {
  let onStarted!: (pid: number) => void
  let onDone!: (outcome: JobOutcome) => void
  const started = new Promise<number>((resolve) => {
    onStarted = resolve
  })
  let outcomes = 0
  const done = new Promise<JobOutcome>((resolve, reject) => {
    onDone = (outcome) => {
      outcomes += 1
      if (outcomes > 1) reject(new Error('a job has ended twice'))
      else resolve(outcome)
    }
  })
  const job: PoolJob = { header, body: '', onStarted, onDone, ...more }
  pool.submit(job)
  return { job, started, done }
}

export async function run(pool: ProcessPool, header: Action, more: Partial<PoolJob> = {}): Promise<JobOutcome> {
  return await submit(pool, header, more).done
}

/** Runs a job that is expected to reply, and returns its header. */
export async function reply(pool: ProcessPool, header: Action, more: Partial<PoolJob> = {}): Promise<unknown> {
  const outcome = await run(pool, header, more)
  if (outcome.type !== 'reply') throw new Error(`expected a reply, got ${JSON.stringify(outcome)}`)
  return outcome.header
}

/** Teaches the pool that jobs are short, so that it sends them ahead. */
export async function warmUp(pool: ProcessPool, kind?: string): Promise<void> {
  for (let i = 0; i < 60; i += 1) await reply(pool, { do: 'echo' }, kind === undefined ? {} : { kind })
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  // A zombie answers too, until its parent has collected it.
  return process.platform !== 'linux' || !/^State:\s+Z/m.test(status(pid))
}

function status(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8')
  } catch {
    return 'State: Z'
  }
}

/** Looks until `look` is true; the returned time in milliseconds is for assertions on how long it took. */
export async function until(what: string, look: () => boolean, deadlineMs = 10_000): Promise<number> {
  const start = performance.now()
  while (!look()) {
    if (performance.now() - start > deadlineMs) throw new Error(`not in ${deadlineMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return performance.now() - start
}

export function temporaryFile(name: string): string {
  return join(mkdtempSync(join(tmpdir(), 'process-pool-')), name)
}

export function lines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n').slice(0, -1)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
