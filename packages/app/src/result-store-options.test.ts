import { expect, test } from 'vitest'
import { createConfiguration } from './configuration.ts'
import { resultStoreOptions } from './result-store-options.ts'

function settingsOf(given: Readonly<Record<string, unknown>>) {
  const { conf, settings } = createConfiguration({
    warn: (message) => expect.unreachable(message),
    beforeRead: () => {},
  })
  conf.update(given)
  return settings
}

const redisSettings = {
  redis_backend_use_ssl: { ssl_ca_certs: '/etc/ca.pem' },
  redis_backend_health_check_interval: 7,
  redis_username: 'worker',
  redis_password: 'secret',
  redis_db: 3,
  redis_socket_connect_timeout: 2,
  redis_socket_timeout: 60,
  redis_client_name: 'shop',
}

test.each(['redis://h', 'rediss://h', 'sentinel://h', 'redis+cluster://h', 'redis+socket:///s', 'unix:///s'])(
  'the settings for a store in Redis reach it: %s',
  (url) => {
    expect(resultStoreOptions(url, settingsOf(redisSettings))).toEqual({
      ssl: { ssl_ca_certs: '/etc/ca.pem' },
      health_check_interval: 7,
      username: 'worker',
      password: 'secret',
      virtual_host: 3,
      socket_connect_timeout: 2,
      socket_timeout: 60,
      client_name: 'shop',
    })
  },
)

test('the options of the store go before them', () => {
  const settings = settingsOf({ ...redisSettings, result_backend_transport_options: { socket_timeout: 5 } })
  expect(resultStoreOptions('redis://h', settings)).toMatchObject({ socket_timeout: 5, client_name: 'shop' })
})

test('another store is given its options alone', () => {
  const settings = settingsOf({ ...redisSettings, result_backend_transport_options: { socket_timeout: 5 } })
  expect(resultStoreOptions('sqlite:///redis.db', settings)).toEqual({ socket_timeout: 5 })
})
