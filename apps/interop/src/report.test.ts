import { expect, test } from 'vitest'
import { type CellReport, reportLine, summaryLine } from './report.ts'

const cell: CellReport = {
  direction: { client: 'python', worker: 'typescript' },
  name: 'json',
  leftOut: undefined,
  failure: undefined,
  ms: 12.4,
}

test('a line says who sent, who ran and what came of it', () => {
  expect(reportLine(cell)).toBe('ok        python > typescript  json (12 ms)')
  expect(reportLine({ ...cell, leftOut: 'there is none' })).toBe('left out  python > typescript  json: there is none')
  expect(reportLine({ ...cell, failure: '1 !== 2\nlog' })).toBe(
    'FAILED    python > typescript  json\n            1 !== 2\n            log',
  )
})

test('the last line counts what was asked', () => {
  expect(summaryLine([cell, { ...cell, failure: 'no' }, { ...cell, leftOut: 'none' }, cell])).toBe(
    'interop: 2 passed, 1 failed',
  )
})
