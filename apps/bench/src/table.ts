import type { Aim, Row } from './report.ts'

/** The rows as a table for a terminal, or for a README: it is Markdown, with the columns aligned. */
export function renderTable(rows: readonly Row[]): string {
  const all = [
    ['', 'ours', 'lowest to highest', 'peers', 'ours ÷ peer', 'aim', 'where our time goes'],
    ...rows.map((row) => [
      row.name,
      `${figure(row.ours)} ${row.unit}`,
      range(Object.values(row.samples)[0] ?? []),
      list(row.peers, figure),
      list(row.ratios, (ratio) => ratio.toFixed(2)),
      row.aims.map(renderAim).join(', '),
      list(row.shares ?? {}, (share) => `${Math.round(share)}%`),
    ]),
  ]
  // No suite has something to say in every column.
  const used = (all[0] as string[]).map((_, column) => all.slice(1).some((line) => line[column] !== ''))
  const lines = all.map((line) => line.filter((_, column) => used[column]))
  const widths = (lines[0] as string[]).map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
  const render = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  const rule = render(widths.map((width) => '-'.repeat(width)))
  const [head = [], ...body] = lines
  return [render(head), rule, ...body.map(render)].join('\n')
}

function list(values: Readonly<Record<string, number>>, show: (value: number) => string): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${show(value)}`)
    .join(', ')
}

function range(samples: readonly number[]): string {
  return `${figure(Math.min(...samples))} to ${figure(Math.max(...samples))}`
}

function renderAim({ of, atLeast, atMost, better, met }: Aim): string {
  const beyond = better === undefined ? '' : `, better ${better}`
  const bound = atLeast === undefined ? `at most ${figure(atMost ?? 0)}` : `${of} at least ${atLeast}${beyond}`
  return `${bound}: ${met ? 'yes' : 'no'}`
}

/** Three digits are more than a shared machine can repeat. */
function figure(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en')
  return String(Number(value.toPrecision(3)))
}
