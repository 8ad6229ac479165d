import { CeleryError } from '@celery/promises'
import { describe, expect, test } from 'vitest'
import * as transport from './index.ts'

const errors = [
  new transport.BrokerBusyError('redis://h', 'out of memory'),
  new transport.ConnectionClosedError('redis://h'),
  new transport.ConnectionLostError('redis://h'),
  new transport.ExchangeMismatchError('e', 'topic', 'direct'),
  new transport.ForeignWriteError('redis', 'sqlite:/results', 0),
  new transport.InvalidBrokerUrlError('redis', 'no'),
  new transport.UnknownExchangeError('e'),
  new transport.UnknownTransportError('rediss', ['redis', 'amqp']),
  new transport.UnroutableError('e', 'k'),
  new transport.UnsupportedByTransportError('redis', 'magic'),
]

describe('transport errors', () => {
  test('each has a code and a name of its own', () => {
    expect(new Set(errors.map(({ code }) => code)).size).toBe(errors.length)
    for (const error of errors) {
      expect(CeleryError.is(error, error.code)).toBe(true)
      expect(error.name).toBe(error.constructor.name)
    }
  })

  test('keep the underlying error as the cause', () => {
    const cause = new Error('ECONNREFUSED')
    expect(new transport.ConnectionLostError('redis://h', { cause }).cause).toBe(cause)
    expect(new transport.BrokerBusyError('redis://h', 'full', { cause }).cause).toBe(cause)
  })

  test('an exchange of another type says what to do about it', () => {
    expect(new transport.ExchangeMismatchError('mail', 'topic', 'direct').message).toBe(
      'exchange "mail" is of type direct and cannot be declared as topic: the broker has it from before; rename one of the two, delete the old one, or use another broker',
    )
  })

  test('a URL that is not to blame is not blamed', () => {
    expect(new transport.InvalidBrokerUrlError('redis', 'no').message).toBe('broker URL "redis://…" is not valid: no')
    expect(new transport.InvalidBrokerUrlError('redis', 'no', { setting: 'brokerTransportOptions' }).message).toBe(
      'brokerTransportOptions of the broker "redis://…" are not valid: no',
    )
  })

  test('an unknown transport names the known ones', () => {
    expect(new transport.UnknownTransportError('rediss', ['redis', 'amqp']).message).toBe(
      'no transport for broker URLs that begin with "rediss://"; known are amqp, redis; correct the URL, or register a driver for it',
    )
    expect(new transport.UnknownTransportError('x', []).message).toContain('none is registered')
  })
})
