/** The short form: all cells that need no further workers. The long form is the command. */
import { isMissing } from '@celery/test-servers'
import { describe, expect, test } from 'vitest'
import { returns } from '../src/cell.ts'
import { allCells } from '../src/cells/all-cells.ts'
import { directions } from '../src/direction.ts'
import type { CellReport } from '../src/report.ts'
import { runDirection } from '../src/run-direction.ts'

const cells = allCells.filter(({ long = false }) => !long)
/** What is wrong has to show. */
const wrong = returns('a wrong result', { task: 'interop.add', args: [2, 2] }, 5)

describe.skipIf(isMissing('redis', 'python-celery'))('every cell passes', () => {
  // Most of the time they wait, so that both together take hardly longer.
  test.concurrent.each(directions)(
    '$client > $worker',
    async (direction) => {
      const reports: CellReport[] = []
      await runDirection({ direction, cells: [...cells, wrong], onReport: (report) => reports.push(report) })
      expect(reports.pop()).toMatchObject({ name: wrong.name, failure: expect.stringContaining('SUCCESS') })
      expect(reports.filter(({ failure }) => failure !== undefined)).toEqual([])
      expect(reports.filter(({ leftOut }) => leftOut !== undefined)).toEqual([])
      expect(reports.length).toBe(cells.length)
    },
    300_000,
  )
})
