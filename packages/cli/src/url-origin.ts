import { closestName } from '@celery/promises'
import type { CommandContext } from './command-context.ts'

interface UrlKind {
  readonly what: string
  readonly flag: 'broker' | 'resultBackend'
  readonly option: string
  /** Those of the environment go before the settings. */
  readonly variables: readonly string[]
  readonly setting: 'brokerUrl' | 'resultBackend'
  readonly address: 'brokerAddress' | 'backendAddress'
}

const broker: UrlKind = {
  what: 'broker URL',
  flag: 'broker',
  option: '-b',
  variables: ['CELERY_BROKER_READ_URL', 'CELERY_BROKER_WRITE_URL', 'CELERY_BROKER_URL'],
  setting: 'brokerUrl',
  address: 'brokerAddress',
}

const results: UrlKind = {
  what: 'URL of the result store',
  flag: 'resultBackend',
  option: '--result-backend',
  variables: ['CELERY_RESULT_BACKEND'],
  setting: 'resultBackend',
  address: 'backendAddress',
}

const kinds: Readonly<Record<string, UrlKind>> = {
  ERR_CELERY_INVALID_BROKER_URL: broker,
  ERR_CELERY_UNKNOWN_TRANSPORT: broker,
  ERR_CELERY_CONNECTION_LOST: broker,
  ERR_CELERY_UNKNOWN_BACKEND: results,
  ERR_CELERY_BACKEND_UNAVAILABLE: results,
}

/** Of a driver that serves both: which of them they are about is told by the address. */
const sharedCodes: readonly string[] = ['ERR_CELERY_REDIS_REFUSED', 'ERR_CELERY_INVALID_REDIS_ADDRESS']

/** Where the URL was given that an error with one of these codes is about, and which scheme could have been meant. */
export function describeUrlOrigin(error: UrlError, context: CommandContext): string | undefined {
  const { known, scheme } = error
  const found = kindsOf(error, context)
  if (found.length === 0) return undefined
  const lines = [
    ...found.map((kind) => describeOrigin(kind, context)),
    scheme === undefined ? undefined : describeScheme(scheme, known ?? []),
  ]
  return lines.filter((line) => line !== undefined).join('\n') || undefined
}

/** What errors about URLs have. */
export interface UrlError {
  readonly code: string
  readonly address?: string
  readonly scheme?: string
  readonly known?: readonly string[]
  /** The URL is not to blame, but this. */
  readonly setting?: string | undefined
}

function kindsOf({ address, code, setting }: UrlError, { opened }: CommandContext): readonly UrlKind[] {
  if (setting !== undefined) return []
  const kind = kinds[code]
  if (kind !== undefined) return [kind]
  if (opened === undefined || address === undefined || !sharedCodes.includes(code)) return []
  const { app } = opened
  return [broker, results].filter((each) => isAmong(address, app[each.address] ?? ''))
}

/** Behind a URL of sentinels, or of a cluster, the server itself may stand in parentheses. */
function isAmong(address: string, addresses: string): boolean {
  return addresses.split(';').some((each) => address === each || address.startsWith(`${each} (`))
}

function describeOrigin(kind: UrlKind, context: CommandContext): string | undefined {
  const origin = originOf(kind, context)
  return origin === undefined ? undefined : `The ${kind.what} is that of ${origin}.`
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
