import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { type ConnectionOptions, createSecureContext } from 'node:tls'
import { InvalidRedisAddressError } from '../errors.ts'
import { isRecord, OptionReader } from './option-reader.ts'

/** How a connection is encrypted. Plain data; files are read anew for each connection, so that they may be renewed. */
export interface TlsSettings {
  /** Whether the certificate has to come from an authority that is trusted. */
  readonly verifyCertificate: boolean
  /** Whether the certificate has to be for the host that was asked for. */
  readonly verifyHostName: boolean
  /** Authorities that are trusted in place of the system's. */
  readonly authorityFile?: string | undefined
  readonly certificateFile?: string | undefined
  readonly keyFile?: string | undefined
  readonly keyPassword?: string | undefined
}

/**
 * The `ssl_…` settings as Celery has them, flat, in the URL's query or in an object `ssl`; in that also without `ssl_`, as
 * `broker_use_ssl` has them for RabbitMQ. Undefined where there are none.
 * @param address - With the password masked, for errors.
 */
export function readTlsSettings(
  address: string,
  sources: readonly Readonly<Record<string, unknown>>[],
): TlsSettings | undefined {
  const given = new OptionReader(address, sources).value('ssl')
  if (given === false) return undefined
  const nested = isRecord(given) ? [given, withPrefix(given)] : []
  const reader = new OptionReader(address, [...nested, ...sources])
  const hasAny = names.some((name) => reader.value(name) !== undefined)
  if (given === undefined && !hasAny) return undefined
  const verifyCertificate = readRequirement(reader)
  return {
    verifyCertificate,
    verifyHostName: verifyCertificate && (reader.boolean('ssl_check_hostname') ?? true),
    authorityFile: reader.text('ssl_ca_certs'),
    certificateFile: reader.text('ssl_certfile'),
    keyFile: reader.text('ssl_keyfile'),
    keyPassword: reader.text('ssl_password'),
  }
}

/** What `rediss://` means where nothing else is said. */
export const defaultTlsSettings: TlsSettings = { verifyCertificate: true, verifyHostName: true }

const names: readonly string[] = [
  'ssl_cert_reqs',
  'ssl_ca_certs',
  'ssl_certfile',
  'ssl_keyfile',
  'ssl_password',
  'ssl_check_hostname',
]

function withPrefix(given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [`ssl_${name}`, value]))
}

/** Also by the numbers of Python's `ssl` module. For a client, Python's `optional` verifies as `required` does. */
function readRequirement(reader: OptionReader): boolean {
  const value = reader.value('ssl_cert_reqs') ?? 'required'
  const text = String(value)
    .toLowerCase()
    .replace(/^cert_/, '')
  if (text === 'required' || text === '2' || text === 'optional' || text === '1') return true
  if (text === 'none' || text === '0') return false
  throw reader.invalid('ssl_cert_reqs', 'is none of "required", "optional" and "none"')
}

/**
 * The settings as Node's TLS takes them.
 * @throws InvalidRedisAddressError where a file cannot be read, or holds something else.
 */
export async function tlsConnectionOptions(address: string, settings: TlsSettings): Promise<ConnectionOptions> {
  const read = async (file: string | undefined, name: string): Promise<Buffer | undefined> => {
    try {
      return file === undefined ? undefined : await readFile(file)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      throw new InvalidRedisAddressError(address, `the file of "${name}" cannot be read: ${message}`)
    }
  }
  const [ca, cert, key] = await Promise.all([
    read(settings.authorityFile, 'ssl_ca_certs'),
    read(settings.certificateFile, 'ssl_certfile'),
    read(settings.keyFile, 'ssl_keyfile'),
  ])
  const { keyPassword: passphrase } = settings
  const check = (name: string, problem: string, use: () => unknown): void => {
    try {
      use()
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      throw new InvalidRedisAddressError(address, `the file of "${name}" ${problem}: ${message}`)
    }
  }
  // Node itself passes over authorities that are none.
  if (ca !== undefined) check('ssl_ca_certs', 'holds no certificate', () => new X509Certificate(ca))
  if (cert !== undefined) check('ssl_certfile', 'holds no certificate', () => createSecureContext({ cert }))
  if (key !== undefined) {
    const problem = `holds no key${passphrase === undefined ? ', or one with a password: give "ssl_password"' : ' that "ssl_password" opens'}`
    check('ssl_keyfile', problem, () => createSecureContext({ key, passphrase }))
    if (cert !== undefined) {
      const whole = { cert, key, passphrase }
      check('ssl_keyfile', 'is not for the certificate of "ssl_certfile"', () => createSecureContext(whole))
    }
  }
  return {
    rejectUnauthorized: settings.verifyCertificate,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(settings.verifyHostName ? {} : { checkServerIdentity: () => undefined }),
  }
}
