import { expect, test } from 'vitest'
import { reportRows } from './report.ts'
import type { Readings, RowPlan } from './suite.ts'
import { renderTable } from './table.ts'

const plan: RowPlan = {
  name: 'drain',
  unit: 'tasks/s',
  ours: { contestant: 'ours', metric: 'rate' },
  peers: [
    { contestant: 'raw', metric: 'rate', atLeast: 0.5 },
    { contestant: 'python', metric: 'rate', atLeast: 6 },
  ],
}

function measured(rounds: Readonly<Record<string, readonly Readings[]>>) {
  return { rounds: new Map(Object.entries(rounds)), load: [] }
}

function rates(...values: readonly number[]): Readings[] {
  return values.map((rate) => ({ rate }))
}

test('a ratio is the median of the ratios within the runs, whatever disturbed a whole run', () => {
  // The second run was slow for both, the third fast for both.
  const rounds = measured({ ours: rates(60, 6, 600), raw: rates(100, 10, 1_000), python: rates(5, 1, 200) })
  expect(reportRows([plan], rounds)).toEqual([
    {
      name: 'drain',
      unit: 'tasks/s',
      ours: 60,
      peers: { raw: 100, python: 5 },
      ratios: { raw: 0.6, python: 6 },
      aims: [
        { of: 'raw', atLeast: 0.5, met: true },
        { of: 'python', atLeast: 6, met: true },
      ],
      samples: { ours: [60, 6, 600], raw: [100, 10, 1_000], python: [5, 1, 200] },
    },
  ])
})

test('a peer that took no part is left out, and so is a row without a value of ours', () => {
  const [row, ...others] = reportRows([plan, { ...plan, ours: { contestant: 'absent', metric: 'rate' } }], {
    ...measured({ ours: rates(40), raw: rates(100) }),
  })
  expect(others).toEqual([])
  expect(row?.ratios).toEqual({ raw: 0.4 })
  expect(row?.aims).toEqual([{ of: 'raw', atLeast: 0.5, met: false }])
})

test('a bound on the value itself is met at the bound', () => {
  const bounded: RowPlan = { name: 'ready', unit: 'ms', ours: { contestant: 'ours', metric: 'rate' }, atMost: 500 }
  const met = (value: number) => reportRows([bounded], measured({ ours: rates(value) }))[0]?.aims[0]?.met
  expect([met(500), met(501)]).toEqual([true, false])
})

test('what is hoped for beyond an aim is shown, and not asked for', () => {
  const peers = [{ contestant: 'raw', metric: 'rate', atLeast: 2, better: 3 }]
  const rows = reportRows([{ ...plan, peers }], measured({ ours: rates(250), raw: rates(100) }))
  expect(rows[0]?.aims).toEqual([{ of: 'raw', atLeast: 2, better: 3, met: true }])
  expect(renderTable(rows)).toContain('raw at least 2, better 3: yes')
})

test('the table shows medians, ranges, ratios and what they aim at', () => {
  const rows = reportRows([plan], measured({ ours: rates(60_000, 50_000, 70_000), raw: rates(1e5, 1e5, 1e5) }))
  const [head, rule, line] = renderTable(rows).split('\n')
  expect([head?.length, rule?.length]).toEqual([line?.length, line?.length])
  const cells = line?.split('|').map((cell) => cell.trim())
  expect(cells?.slice(1, -1)).toEqual([
    'drain',
    '60,000 tasks/s',
    '50,000 to 70,000',
    'raw 100,000',
    'raw 0.60',
    'raw at least 0.5: yes',
  ])
})

test('shares of our time are medians, and stand in a column of their own', () => {
  const shared: RowPlan = {
    ...plan,
    shares: { contestant: 'profiled', metrics: { decode: 'd', settle: 's', no: 'n' } },
  }
  const profiled = [10, 30, 20].map((value) => ({ d: value, s: 100 - value }))
  const rows = reportRows([shared, plan], measured({ ours: rates(60, 50, 70), profiled }))
  expect(rows.map(({ shares }) => shares)).toEqual([{ decode: 20, settle: 80 }, undefined])
  const [head, , line, other] = renderTable(rows).split('\n')
  expect(head).toContain('where our time goes')
  expect(line).toContain('| decode 20%, settle 80% |')
  expect(other?.length).toBe(head?.length)
  // Nobody compared and nobody aimed, so nothing is said of that.
  expect(head).not.toContain('peers')
})
