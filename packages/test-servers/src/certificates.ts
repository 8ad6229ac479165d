import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findExecutable } from './find-executable.ts'
import { requireServer } from './servers.ts'

/** Paths of files in PEM format. */
export interface Certificates {
  /** Of the authority that signed the others. */
  readonly authority: string
  /** Of an authority that has signed nothing here. */
  readonly otherAuthority: string
  /** For 127.0.0.1, and for no name. */
  readonly certificate: string
  readonly key: string
}

/**
 * Makes an authority and a server's certificate in `folder`, valid for a day.
 *
 * @throws {MissingServerError} if OpenSSL is not installed.
 */
export async function makeCertificates(folder: string): Promise<Certificates> {
  requireServer('openssl')
  const file = (name: string): string => join(folder, name)
  await Promise.all([
    makeAuthority(file('authority'), 'authority of the tests'),
    makeAuthority(file('other-authority'), 'another authority of the tests'),
  ])
  await openssl(
    'req',
    '-new',
    ...newKey,
    '-keyout',
    file('server.key'),
    '-out',
    file('server.csr'),
    '-subj',
    '/CN=server',
  )
  await openssl(
    ...['req', '-x509', '-CA', file('authority.crt'), '-CAkey', file('authority.key'), '-days', '1'],
    ...['-in', file('server.csr'), '-addext', 'subjectAltName=IP:127.0.0.1', '-out', file('server.crt')],
    ...['-addext', 'basicConstraints=critical,CA:false'],
  )
  return {
    authority: file('authority.crt'),
    otherAuthority: file('other-authority.crt'),
    certificate: file('server.crt'),
    key: file('server.key'),
  }
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

async function makeAuthority(path: string, name: string): Promise<void> {
  const subject = ['-days', '1', '-subj', `/CN=${name}`]
  await openssl('req', '-x509', ...newKey, ...subject, '-keyout', `${path}.key`, '-out', `${path}.crt`)
}

async function openssl(...args: readonly string[]): Promise<void> {
  await promisify(execFile)(findExecutable('openssl') ?? 'openssl', args)
}
