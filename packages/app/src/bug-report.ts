import { readFileSync } from 'node:fs'
import { arch, release, type } from 'node:os'
import type { Configuration } from './configuration.ts'

export interface BugReportInput {
  readonly conf: Configuration
  /** Where messages and results go, passwords masked; `undefined` where that cannot be told. */
  readonly broker: string | undefined
  readonly backend: string | undefined
}

/** What to put into a bug report: versions, platform, drivers and the settings that differ from the defaults, censored. */
export function bugReport({ backend, broker, conf }: BugReportInput): string {
  const { node, v8 } = process.versions
  return [
    `software -> celery:${version()} node:${node} v8:${v8}`,
    `platform -> system:${type()} arch:${arch()} kernel version:${release()}`,
    `settings -> transport:${schemeOf(broker)} results:${backend ?? 'disabled'}`,
    '',
    conf.humanize(),
    '',
  ].join('\n')
}

function schemeOf(address: string | undefined): string {
  return address?.split('://', 1)[0] ?? 'none'
}

function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { readonly version: string }).version
}
