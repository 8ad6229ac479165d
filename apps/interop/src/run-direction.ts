/** All cells in one direction: a private Redis, one worker of the default queue, one client. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RedisServer, startRedis } from '@celery/test-servers'
import type { Cell } from './cell.ts'
import type { Direction } from './direction.ts'
import { Notes } from './notes.ts'
import { openClient } from './open-client.ts'
import { PythonClient } from './python-client.ts'
import type { CellReport } from './report.ts'
import type { Setup } from './setup.ts'
import { lastLines, Stage } from './stage.ts'
import { type RunningWorker, startWorker } from './workers.ts'

export interface RunOptions {
  readonly direction: Direction
  readonly cells: readonly Cell[]
  /** Told of each cell as soon as it has ended. */
  readonly onReport: (report: CellReport) => void
  /** Called before anything is stopped, when a cell has failed, with where Redis is. @defaultValue nothing */
  readonly keep?: ((place: { readonly redis: string; readonly folder: string }) => Promise<void>) | undefined
}

export async function runDirection({ cells, direction, keep, onReport }: RunOptions): Promise<readonly CellReport[]> {
  const folder = mkdtempSync(join(tmpdir(), 'celery-interop-'))
  try {
    await using redis = await startRedis()
    const setup = setupOf(redis, folder)
    await using observer = new PythonClient(setup)
    await using client = openClient(direction.client, setup)
    await using worker = await startWorker(direction.worker, { setup })
    const notes = new Notes(setup.notes)
    const reports: CellReport[] = []
    for (const cell of cells) {
      const stage = new Stage({ setup, direction, number: reports.length + 1, folder, client, notes, observer })
      const report = await runCell(cell, stage, worker)
      reports.push(report)
      onReport(report)
    }
    if (reports.some(({ failure }) => failure !== undefined)) await keep?.({ redis: redis.url, folder })
    return reports
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function runCell(cell: Cell, stage: Stage, worker: RunningWorker): Promise<CellReport> {
  const { direction } = stage
  const startedMs = performance.now()
  const leftOut = cell.leftOut?.(direction)
  const outcome = leftOut === undefined ? await failureOf(cell, stage, worker) : undefined
  return { direction, name: cell.name, leftOut, failure: outcome, ms: performance.now() - startedMs }
}

/** What went wrong, with what the workers logged meanwhile. */
async function failureOf(cell: Cell, stage: Stage, worker: RunningWorker): Promise<string | undefined> {
  const before = worker.output().length
  try {
    await using open = stage
    await cell.run(open)
    return undefined
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    const log = lastLines(worker.output().slice(before))
    const logs = log === '' ? stage.logs() : [`the worker of all cells logged:\n${log}`, ...stage.logs()]
    return [message, ...logs].join('\n')
  }
}

function setupOf(redis: RedisServer, folder: string): Setup {
  return {
    broker: redis.url,
    // Results in a database of their own, as many deployments have them, would be one more thing to look at.
    backend: redis.url,
    queues: [],
    notes: join(folder, 'notes'),
    settings: { accept_content: ['json', 'yaml', 'msgpack'] },
  }
}
