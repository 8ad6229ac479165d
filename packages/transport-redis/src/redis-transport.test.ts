import { parseBrokerUrl } from '@celery/transport'
import { expect, test } from 'vitest'
import { redis } from './redis-transport.ts'

async function failureOf(url: string, transportOptions: Readonly<Record<string, unknown>>): Promise<Error> {
  const failure: unknown = await redis.open(parseBrokerUrl(url), { transportOptions }).catch((error: unknown) => error)
  return failure instanceof Error ? failure : expect.fail('it was opened')
}

const did = 'did you mean "socket_timeout"?'

test.each([
  [{ socket_timout: 3 }, 'brokerTransportOptions', `there is no option "socket_timout": ${did}`],
  [{ socketTimout: 3 }, 'brokerTransportOptions', `there is no option "socketTimout": ${did}`],
  [{ sentinel_kwargs: { socket_timout: 3 } }, 'brokerTransportOptions', `in "sentinel_kwargs": ${did}`],
  [{ socket_timeout: 'planted' }, 'brokerTransportOptions', '"socket_timeout" is not a number of at least 0'],
  [{ visibility_timeout: 'planted' }, 'brokerTransportOptions', '"visibility_timeout" is not a number'],
  [{ ssl: { ssl_certs: '/c' } }, 'brokerTransportOptions or brokerUseSsl', 'no option "ssl_certs" in "ssl"'],
])('names the setting in which an option is to blame: %j', async (options, setting, reason) => {
  const failure = await failureOf('redis://:planted@127.0.0.1:1/0?socket_connect_timeout=1', options)
  expect(failure).toMatchObject({ code: 'ERR_CELERY_INVALID_BROKER_URL', setting })
  expect(failure.message).toContain(`${setting} of the broker "redis://…" are not valid: `)
  expect(failure.message).toContain(reason)
  expect(failure.message).not.toMatch(/planted|broker URL/)
})

test.each([['socket_timout=3'], ['socket_timeout=x'], ['socketTimeout=x']])(
  'names the URL where the option stands in it: %s',
  async (query) => {
    const failure = await failureOf(`redis://:planted@127.0.0.1:1/0?${query}`, { socket_timeout: 5 })
    expect(failure).toMatchObject({ code: 'ERR_CELERY_INVALID_BROKER_URL', setting: undefined })
    expect(failure.message).toContain('broker URL "redis://…" is not valid: ')
    expect(failure.message).not.toContain('planted')
  },
)
