import { relative } from 'node:path'
import type { Unreadable } from './find-files.ts'
import type { FileReport } from './tasks.ts'

const mostRows = 10

/** What came back: the largest files, and those that could not be read. */
export function summary(reports: readonly FileReport[], failures: readonly Unreadable[], folder: string): string {
  return largest(reports, folder) + failed(failures, folder)
}

function largest(reports: readonly FileReport[], folder: string): string {
  const first = [...reports].sort((a, b) => b.sizeBytes - a.sizeBytes).slice(0, mostRows)
  const rows = first.map(({ path, sizeBytes, words, sha256 }) =>
    [
      sizeBytes.toLocaleString('en').padStart(12),
      words.toLocaleString('en').padStart(10),
      sha256.slice(0, 12),
      relative(folder, path),
    ].join('  '),
  )
  const title = reports.length > mostRows ? 'The ten largest' : 'The files'
  return rows.length === 0 ? '' : lines(title, ['       bytes       words  sha256        file', ...rows])
}

function failed(failures: readonly Unreadable[], folder: string): string {
  if (failures.length === 0) return ''
  const rows = failures.slice(0, mostRows).map(({ path, reason }) => `${relative(folder, path)}: ${reason}`)
  const more = failures.length - rows.length
  return lines(`${failures.length} could not be read`, more === 0 ? rows : [...rows, `and ${more} more`])
}

function lines(title: string, rows: readonly string[]): string {
  return `\n  ${title}:\n\n${rows.map((row) => `  ${row}\n`).join('')}`
}
