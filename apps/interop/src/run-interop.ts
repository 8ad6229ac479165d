import type { Cell } from './cell.ts'
import { allCells } from './cells/all-cells.ts'
import { type Direction, directionName, directions, selfCheck } from './direction.ts'
import type { InteropOptions } from './options.ts'
import type { CellReport } from './report.ts'
import { type RunOptions, runDirection } from './run-direction.ts'

/** The whole matrix, or the part of it that was asked for, a direction after the other. */
export async function runInterop(
  options: Omit<InteropOptions, 'keep'>,
  { keep, onReport }: Pick<RunOptions, 'keep' | 'onReport'>,
): Promise<readonly CellReport[]> {
  const reports: CellReport[] = []
  for (const direction of options.selfCheck ? [selfCheck] : directions) {
    const cells = allCells.filter((cell) => isWanted(cell, direction, options))
    if (cells.length > 0) reports.push(...(await runDirection({ direction, cells, keep, onReport })))
  }
  return reports
}

function isWanted(
  { long = false, name }: Cell,
  direction: Direction,
  { only, short }: Omit<InteropOptions, 'keep'>,
): boolean {
  if (short && long) return false
  return only === undefined || new RegExp(only).test(`${directionName(direction)}  ${name}`)
}
