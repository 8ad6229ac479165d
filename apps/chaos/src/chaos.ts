import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { sleepFor } from './calls.ts'
import { pythonChildren } from './harness/python-workers.ts'
import { type RunOptions, type RunReport, runChaos } from './harness/run.ts'
import type { ChaosOptions } from './options.ts'
import type { Setup } from './setup.ts'

/** Share of the pool's slots that are to be taken by tasks on average, so that faults hit running work. */
const load = 0.7

/** Runs the workload with its faults; the report says what came of it, and `directory` holds the ledgers. */
export async function chaos(
  options: ChaosOptions,
  more: Pick<RunOptions, 'onProgress' | 'onFault' | 'leastRate' | 'slackMs'> = {},
): Promise<RunReport & { readonly directory: string }> {
  const { tasks, faults, cut, python, workers, children, leaseMs, pace } = options
  const slots = workers * children + python * pythonChildren
  const durationMs = Math.max(faults, 1) * pace * 1_000
  const setup: Setup = {
    broker: options.broker,
    topology: options.topology,
    directory:
      options.directory === undefined ? mkdtempSync(join(tmpdir(), 'celery-chaos-')) : resolve(options.directory),
    seed: options.seed,
    leaseMs,
    tasks,
    meanSleepMs: Math.min(2_000, sleepFor((slots * durationMs * load) / tasks)),
    backlog: slots * 8,
    separateResults: options.separateResults,
    bug: options.bug,
    bugEvery: options.bugEvery,
  }
  const report = await runChaos({ setup, faults, cut, python, workers, children, ...more })
  return { ...report, directory: setup.directory }
}
