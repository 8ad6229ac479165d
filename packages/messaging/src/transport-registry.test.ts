import { type BrokerAddress, ConnectionLostError, type OpenOptions, UnknownTransportError } from '@celery/transport'
import { memoryTransport } from '@celery/transport-memory'
import { describe, expect, test } from 'vitest'
import { TransportRegistry } from './transport-registry.ts'

/** A registry whose only driver refuses the hosts of `errors`, and the hosts it was asked for. */
function setUp(errors: Readonly<Record<string, Error>> = {}) {
  const asked: (string | undefined)[] = []
  const memory = memoryTransport()
  const driver = {
    ...memory,
    async open(address: BrokerAddress, options?: OpenOptions) {
      asked.push(address.host)
      const error = errors[address.host ?? '']
      if (error !== undefined) throw error
      return memory.open(address, options)
    },
  }
  return { asked, registry: new TransportRegistry().register('fake', async () => driver) }
}

describe('the registry', () => {
  test('loads a driver when the first connection of its scheme is opened, not before', async () => {
    let loads = 0
    const registry = new TransportRegistry().register('fake', async () => {
      loads++
      return memoryTransport()
    })
    expect(loads).toBe(0)
    await using broker = await registry.open('fake://')
    expect(loads).toBe(1)
    expect(broker.capabilities).toEqual(memoryTransport().capabilities)
  })

  test('says which schemes it knows when asked for another one', async () => {
    const { registry } = setUp()
    registry.register('amqp', async () => memoryTransport())
    const error = await registry.open('sqs://user:secret@host/0').catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(UnknownTransportError)
    expect(error).toMatchObject({
      code: 'ERR_CELERY_UNKNOWN_TRANSPORT',
      scheme: 'sqs',
      known: ['fake', 'amqp'],
      message:
        'no transport for broker URLs that begin with "sqs://": there is no driver for Amazon SQS in this release; known are amqp, fake; correct the URL, or register a driver for it',
    })
  })

  test('knows a scheme in any case, and the driver registered last serves it', async () => {
    const { registry } = setUp({ host: new Error('the first driver') })
    registry.register('FAKE', async () => memoryTransport())
    expect([registry.has('Fake'), registry.has('other'), registry.schemes]).toEqual([true, false, ['fake']])
    await using broker = await registry.open('Fake://host')
    expect(broker.domain).toBe('memory:host')
  })

  test('is not shared: another registry does not know its drivers', async () => {
    setUp()
    await expect(new TransportRegistry().open('fake://')).rejects.toMatchObject({
      message:
        'no transport for broker URLs that begin with "fake://"; none is registered; correct the URL, or register a driver for it',
    })
  })

  test('goes on to the next broker of the URL where one cannot be reached', async () => {
    const { asked, registry } = setUp({
      a: new ConnectionLostError('fake://a'),
      b: new ConnectionLostError('fake://b'),
    })
    await using broker = await registry.open('fake://a;fake://b;fake://c')
    expect(broker.domain).toBe('memory:c')
    expect(asked).toEqual(['a', 'b', 'c'])
  })

  test('takes the driver of each, where they are of several kinds', async () => {
    const { registry } = setUp({ a: new ConnectionLostError('fake://a') })
    registry.register('other', async () => memoryTransport())
    await using broker = await registry.open('fake://a;other://b')
    expect(broker.domain).toBe('memory:b')
  })

  test('tells of the first broker where none can be reached', async () => {
    const first = new ConnectionLostError('fake://a')
    const { registry } = setUp({ a: first, b: new ConnectionLostError('fake://b') })
    await expect(registry.open('fake://a;fake://b')).rejects.toBe(first)
  })

  test('tries no other broker where the failure would be the same there', async () => {
    const wrong = new Error('the virtual host does not exist')
    const { asked, registry } = setUp({ a: wrong })
    await expect(registry.open('fake://a;fake://b')).rejects.toBe(wrong)
    expect(asked).toEqual(['a'])
  })

  test('tries no other broker once it is aborted', async () => {
    const abort = new AbortController()
    const reason = new Error('enough')
    const asked: (string | undefined)[] = []
    const registry = new TransportRegistry().register('fake', async () => ({
      ...memoryTransport(),
      async open(address: BrokerAddress) {
        asked.push(address.host)
        abort.abort(reason)
        throw new ConnectionLostError(address.toString())
      },
    }))
    await expect(registry.open('fake://a;fake://b', { signal: abort.signal })).rejects.toBe(reason)
    expect(asked).toEqual(['a'])
  })
})
