import { expect, test } from 'vitest'
import { brokerOptions } from './broker-options.ts'

const brokerUseSsl = { ssl_ca_certs: '/etc/ca.pem' }

test.each(['redis://h', 'rediss://h', 'sentinel://h', 'redis+cluster://h'])(
  'TLS to the broker reaches it: %s',
  (url) => {
    const settings = { brokerTransportOptions: { socket_timeout: 5 }, brokerUseSsl }
    expect(brokerOptions(['sqlite:///first.db', url], settings)).toEqual({ socket_timeout: 5, ssl: brokerUseSsl })
  },
)

test('the options of the broker go before it', () => {
  const own = { ssl: { ssl_ca_certs: '/etc/own.pem' } }
  expect(brokerOptions(['rediss://h'], { brokerTransportOptions: own, brokerUseSsl })).toEqual(own)
})

test('without TLS nothing is said of it, so that rediss:// stays what it is', () => {
  expect(brokerOptions(['rediss://h'], { brokerTransportOptions: {}, brokerUseSsl: false })).toEqual({})
})

test('another broker is given its options alone', () => {
  expect(brokerOptions(['sqlite:///redis.db'], { brokerTransportOptions: { poll: 1 }, brokerUseSsl })).toEqual({
    poll: 1,
  })
})
