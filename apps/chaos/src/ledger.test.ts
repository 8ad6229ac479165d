import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { LedgerLineError, ledgerPath, openLedger, parseLedger } from './ledger.ts'

const directory = mkdtempSync(join(tmpdir(), 'celery-chaos-ledger-'))
afterEach(() => rmSync(directory, { recursive: true, force: true }))

test('reads back what its writers append', () => {
  const fault = { index: 0, kind: 'worker', pid: 1, time: 2, endTime: 2, inFlight: ['c0', 'c1.2'], running: [] }
  const lines = [
    'sent c0 chain2 1',
    'ok c0 2',
    'error c1 3 ERR_X',
    'session s-1 4 5',
    'start c0.1 a-1 6 7 8',
    'end c0.1 a-1 9',
    'saw c0.1 STARTED - 10',
    `fault ${JSON.stringify(fault)}`,
  ]
  const [one, two] = [openLedger(directory, 'tasks'), openLedger(directory, 'tasks')]
  for (const [index, line] of lines.entries()) (index % 2 === 0 ? one : two)(line)
  expect(parseLedger(readFileSync(ledgerPath(directory, 'tasks'), 'utf8'))).toEqual([
    { type: 'sent', call: 'c0', kind: 'chain2', time: 1 },
    { type: 'ok', call: 'c0', time: 2 },
    { type: 'error', call: 'c1', time: 3, code: 'ERR_X' },
    { type: 'session', session: 's-1', pid: 4, time: 5 },
    { type: 'start', task: 'c0.1', attempt: 'a-1', pid: 6, workerPid: 7, time: 8 },
    { type: 'end', task: 'c0.1', attempt: 'a-1', time: 9 },
    { type: 'saw', task: 'c0.1', state: 'STARTED', attempt: undefined, time: 10 },
    { type: 'fault', fault },
  ])
})

test.each(['start c0 a 1', 'ended c0 a 1', 'sent c0 nothing 1', 'end c0 a x'])('refuses the line "%s"', (line) => {
  expect(() => parseLedger(`${line}\n`)).toThrow(LedgerLineError)
})
