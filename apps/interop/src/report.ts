import { type Direction, directionName } from './direction.ts'

/** What became of one cell. */
export interface CellReport {
  readonly direction: Direction
  readonly name: string
  /** Why it was not asked. */
  readonly leftOut: string | undefined
  /** What was wrong; `undefined` where nothing was. */
  readonly failure: string | undefined
  readonly ms: number
}

/** A line for people; where something was wrong, more of them. */
export function reportLine({ direction, failure, leftOut, ms, name }: CellReport): string {
  const cell = `${directionName(direction).padEnd(19)}  ${name}`
  if (leftOut !== undefined) return `left out  ${cell}: ${leftOut}`
  if (failure === undefined) return `ok        ${cell} (${Math.round(ms)} ms)`
  return `FAILED    ${cell}\n${failure.replace(/^/gm, '            ')}`
}

/** The last line of a run, for programs. */
export function summaryLine(reports: readonly CellReport[]): string {
  const asked = reports.filter(({ leftOut }) => leftOut === undefined)
  const failed = asked.filter(({ failure }) => failure !== undefined)
  return `interop: ${asked.length - failed.length} passed, ${failed.length} failed`
}
