import { closestName } from '@celery/promises'
import type { CommandContext } from './command-context.ts'

interface UrlKind {
  readonly what: string
  readonly flag: 'broker' | 'resultBackend'
  readonly option: string
  /** Those of the environment go before the settings. */
  readonly variables: readonly string[]
  readonly setting: 'brokerUrl' | 'resultBackend'
}

const broker: UrlKind = {
  what: 'broker URL',
  flag: 'broker',
  option: '-b',
  variables: ['CELERY_BROKER_READ_URL', 'CELERY_BROKER_WRITE_URL', 'CELERY_BROKER_URL'],
  setting: 'brokerUrl',
}

const results: UrlKind = {
  what: 'URL of the result store',
  flag: 'resultBackend',
  option: '--result-backend',
  variables: ['CELERY_RESULT_BACKEND'],
  setting: 'resultBackend',
}

const kinds: Readonly<Record<string, UrlKind>> = {
  ERR_CELERY_INVALID_BROKER_URL: broker,
  ERR_CELERY_UNKNOWN_TRANSPORT: broker,
  ERR_CELERY_CONNECTION_LOST: broker,
  ERR_CELERY_UNKNOWN_BACKEND: results,
  ERR_CELERY_BACKEND_UNAVAILABLE: results,
}

/** Where the URL was given that an error with one of these codes is about, and which scheme could have been meant. */
export function describeUrlOrigin(error: UrlError, context: CommandContext): string | undefined {
  const kind = kinds[error.code]
  if (kind === undefined) return undefined
  const origin = originOf(kind, context)
  const { known, scheme } = error
  const lines = [
    origin === undefined ? undefined : `The ${kind.what} is that of ${origin}.`,
    scheme === undefined ? undefined : describeScheme(scheme, known ?? []),
  ]
  return lines.filter((line) => line !== undefined).join('\n') || undefined
}

/** What errors about URLs have. */
export interface UrlError {
  readonly code: string
  readonly scheme?: string
  readonly known?: readonly string[]
}

function originOf(
  { flag, option, setting, variables }: UrlKind,
  { flags, opened }: CommandContext,
): string | undefined {
  if (flags[flag] !== undefined) return `${option} on the command line`
  const set = variables.filter((name) => process.env[name])
  if (set.length > 0) return `${set.join(' or ')} in the environment`
  if (opened?.app.conf[setting] === undefined) return undefined
  const { location } = opened
  return `the setting ${setting}${location === undefined ? '' : ` of the app in ${location.file}`}`
}

function describeScheme(scheme: string, known: readonly string[]): string | undefined {
  const closest = closestName(scheme, known)
  return closest === undefined ? undefined : `Did you mean ${closest}://?`
}
