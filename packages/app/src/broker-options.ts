import type { Settings } from './settings.ts'

/**
 * What the driver of a broker is given: `brokerTransportOptions`, and beneath them `brokerUseSsl`, where the broker is Redis.
 * What the URL says goes before both.
 */
export function brokerOptions(
  urls: readonly string[],
  { brokerTransportOptions, brokerUseSsl }: Readonly<Pick<Settings, 'brokerTransportOptions' | 'brokerUseSsl'>>,
): Readonly<Record<string, unknown>> {
  // `false`, the default, must not take the encryption away from a `rediss://`.
  if (brokerUseSsl === false || !urls.some(isRedis)) return brokerTransportOptions
  return { ssl: brokerUseSsl, ...brokerTransportOptions }
}

/** Whether the URL names a driver of ours for Redis, as broker or as store. */
export function isRedis(url: string): boolean {
  return /^(redis|rediss|sentinel|socket|unix)(\+|:)/i.test(url)
}
