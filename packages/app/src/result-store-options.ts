import { isRedis } from './broker-options.ts'
import type { Settings } from './settings.ts'

type Options = Readonly<Record<string, unknown>>

/** Settings that Celery has for its Redis store alone, by the option of the driver that each is. */
const redisOptions = {
  ssl: 'redisBackendUseSsl',
  health_check_interval: 'redisBackendHealthCheckInterval',
  username: 'redisUsername',
  password: 'redisPassword',
  virtual_host: 'redisDb',
  socket_connect_timeout: 'redisSocketConnectTimeout',
  socket_timeout: 'redisSocketTimeout',
  client_name: 'redisClientName',
} as const satisfies Readonly<Record<string, keyof Settings>>

/**
 * What the driver of a result store is given: `resultBackendTransportOptions`, and beneath them what other settings say of
 * that store. What the URL says goes before both.
 */
export function resultStoreOptions(url: string, settings: Readonly<Settings>): Options {
  const { resultBackendTransportOptions } = settings
  if (!isRedis(url)) return resultBackendTransportOptions
  const given = Object.entries(redisOptions).map(([option, name]) => [option, settings[name]] as const)
  const options = Object.fromEntries(given.filter(([, value]) => value !== undefined && value !== null))
  return { ...options, ...resultBackendTransportOptions }
}
