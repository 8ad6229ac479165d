import type { TlsSettings } from './tls-settings.ts'

const warned = new Set<string>()

/** Says once per process and address that anybody could be at the other end. */
export function warnIfUnverified(address: string, tls: TlsSettings | undefined): void {
  if (tls === undefined || tls.verifyHostName || warned.has(address)) return
  warned.add(address)
  const [setting, what] = tls.verifyCertificate
    ? ['ssl_check_hostname', 'for which host the certificate is']
    : ['ssl_cert_reqs', "the server's certificate"]
  process.emitWarning(
    `Redis at ${address}: "${setting}" turns off checking ${what}, so that somebody in between can read and change everything`,
    { type: 'SecurityWarning', code: 'ERR_CELERY_REDIS_UNVERIFIED' },
  )
}
