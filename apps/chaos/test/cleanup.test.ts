import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { groupMembers } from '../src/harness/processes.ts'
import { ledgerPath, parseLedger } from '../src/ledger.ts'

const program = createRequire(import.meta.url).resolve('@celery-apps/chaos/main')

test.each(['SIGKILL', 'SIGTERM', 'SIGINT'] as const)(
  'leaves no process behind when it ends by %s',
  async (signal) => {
    const directory = mkdtempSync(join(tmpdir(), 'celery-chaos-cleanup-'))
    const options = ['--tasks', '5000', '--faults', '20', '--workers', '2', '--children', '2', '--dir', directory]
    const chaos = spawn(process.execPath, [program, ...options], { stdio: 'ignore' })
    try {
      const ledger = ledgerPath(directory, 'tasks')
      const groups = await vi.waitUntil(
        () => {
          if (!existsSync(ledger)) return undefined
          const pids = new Set<number>()
          for (const entry of parseLedger(readFileSync(ledger, 'utf8')))
            if (entry.type === 'start') pids.add(entry.workerPid)
          return pids.size === 2 ? [...pids] : undefined
        },
        { timeout: 30_000, interval: 50 },
      )
      expect(groups.flatMap(groupMembers).length).toBeGreaterThanOrEqual(2)
      const ended = once(chaos, 'exit')
      chaos.kill(signal)
      await ended
      await vi.waitUntil(() => groups.flatMap(groupMembers).length === 0, { timeout: 10_000, interval: 50 })
    } finally {
      chaos.kill('SIGKILL')
      rmSync(directory, { recursive: true, force: true })
    }
  },
  60_000,
)
