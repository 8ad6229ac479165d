import { type AtomicWrite, type ResultBackend, ResultTooLargeError, type ResultWrite } from '@celery/backend'
import { Connection, Settler, TransportRegistry } from '@celery/messaging'
import { deferred, ManualClock } from '@celery/promises'
import {
  type BrokerConnection,
  type Delivery,
  type DeliveryRef,
  ForeignWriteError,
  type Publication,
  type Settlement,
  type Transport,
} from '@celery/transport'
import { memoryTransport } from '@celery/transport-memory'
import { describe, expect, onTestFinished, test } from 'vitest'
import { OutcomeSettler, type RefusableEnd } from '../src/outcome-settler.ts'
import { ResultStorer } from '../src/result-storer.ts'

function publication(body: string, routingKey = 'next', exchange = ''): Publication {
  const message = { body, contentType: 'text/plain', contentEncoding: 'utf-8', headers: {}, properties: {} }
  return { exchange, routingKey, message, mandatory: true }
}

function write(record: string): ResultWrite {
  return { taskId: 'id', state: 'SUCCESS', record }
}

/** In the words of this test: `publish x`, `store y`, `write y` where it is part of the settlement, `ack`, `dead`. */
function describeSettlement({ action, delivery, publish, writes }: Settlement): string {
  return [
    ...(publish ?? []).map(({ message }) => `publish ${String(message.body)}`),
    ...(writes ?? []).map(({ statement }) => `write ${String(statement)}`),
    ...(delivery === undefined ? [] : [action?.type ?? 'ack']),
  ].join(' + ')
}

/** A broker and a store that say in which order they are told what. */
async function setUp(
  domain: string | undefined,
  refuses: (settlement: Settlement) => boolean = () => false,
  isAway = () => false,
) {
  const failed = deferred()
  const log: string[] = []
  let brokerDomain = 'here'
  const memory = memoryTransport()
  const recording: Transport = {
    ...memory,
    open: async (address, options) => {
      const broker = await memory.open(address, options)
      const settle = broker.settle.bind(broker)
      broker.settle = async (settlements, more) => {
        for (const settlement of settlements) log.push(describeSettlement(settlement))
        if (settlements.some(refuses)) throw new Error('the broker refuses this')
        const foreign = brokerDomain === 'here' ? -1 : settlements.findIndex(({ writes }) => writes !== undefined)
        if (foreign >= 0) throw new ForeignWriteError('memory', 'here', foreign)
        // The writes mean something to this test only.
        return settle(
          settlements.map(({ writes: _writes, ...rest }) => rest),
          more,
        )
      }
      return broker
    },
  }
  const transports = new TransportRegistry().register('memory', async () => recording)
  const connection = new Connection({ urls: ['memory://'], transports })
  onTestFinished(() => connection.close())
  const broker = await connection.broker()
  await broker.declareQueue({ name: 'q' })
  const tooLarge = ({ record }: ResultWrite): boolean => record === 'too large'
  const backend = {
    domain,
    store: async (writes: readonly ResultWrite[]) => {
      if (isAway()) throw new Error('the store is away')
      for (const { record } of writes) {
        if (record === 'too large') throw new ResultTooLargeError('id', 2, 1)
        log.push(`store ${record}`)
      }
    },
    ...(domain === undefined
      ? {}
      : {
          prepare: (writes: readonly ResultWrite[]): readonly AtomicWrite[] => {
            if (writes.some(tooLarge)) throw new ResultTooLargeError('id', 2, 1)
            return writes.map(({ record }) => ({ statement: record }) as unknown as AtomicWrite)
          },
        }),
  } as unknown as ResultBackend
  const onRefused = (_write: ResultWrite, error: unknown): ResultWrite => write(`FAILURE ${(error as Error).name}`)
  const onUnsettled = (_write: ResultWrite, error: unknown): ResultWrite => write(`UNSETTLED ${(error as Error).name}`)
  const onUnsent = (unsent: readonly Publication[]): readonly ResultWrite[] =>
    unsent.map(({ message }) => ({ ...write(`UNSENT ${String(message.body)}`), taskId: String(message.body) }))
  const onAbandoned = ({ tag }: DeliveryRef): void => void log.push(`abandon ${tag}`)
  const settler = new Settler<RefusableEnd>({
    connection,
    onError: (error) => log.push(`error ${String(error)}`),
    onRefused: (refused, error) => {
      log.push(`refused ${(error as Error).name}`)
      outcomes.refused(refused, error)
    },
  })
  const storer = new ResultStorer({ backend, clock: new ManualClock(), onError: () => failed.resolve(), onRefused })
  const handlers = { onAbandoned, onRefused, onUnsent, onUnsettled }
  const outcomes = new OutcomeSettler({ backend, domain: () => brokerDomain, ...handlers, settler, storer })
  const settled = (result: string): void => void log.push(result)
  const idle = (): Promise<unknown> => outcomes.close(10_000)
  const failover = (): void => {
    brokerDomain = 'there'
  }
  return { broker, failover, idle, log, outcomes, settled, failed, delivery: await deliver(broker) }
}

async function deliver(broker: BrokerConnection): Promise<Delivery> {
  await broker.publish([publication('x', 'q')])
  const [delivery] = await broker.fetch(['q'], { max: 1, signal: AbortSignal.timeout(5_000) })
  if (delivery === undefined) throw new Error('a message was just put there')
  return delivery
}

const follow = [publication('follow-up')]

describe('where broker and store differ', () => {
  test('late ack: the result, then follow-ups with the acknowledgement', async () => {
    const { delivery, idle, log, outcomes, settled } = await setUp(undefined)
    outcomes.finish({ delivery, publish: follow, write: write('3') }, undefined, settled)
    await idle()
    expect(log).toEqual(['store 3', 'publish follow-up + ack', 'done'])
  })

  test('early ack: the acknowledgement, then follow-ups, then the result', async () => {
    const { delivery, idle, log, outcomes, settled } = await setUp(undefined)
    const acknowledged = outcomes.acknowledge(delivery, settled)
    outcomes.finish({ publish: follow, write: write('3') }, acknowledged, settled)
    await idle()
    expect(log).toEqual(['ack', 'publish follow-up', 'done', 'store 3'])
  })

  test('a result too large for the store: a failure is stored instead, and the message is acknowledged', async () => {
    const { delivery, idle, log, outcomes, settled } = await setUp(undefined)
    outcomes.finish({ delivery, write: write('too large') }, undefined, settled)
    await idle()
    expect(log).toEqual(['store FAILURE ResultTooLargeError', 'ack', 'done'])
  })

  test('a follow-up that has nowhere to go: its message goes to the dead letters', async () => {
    const { broker, delivery, idle, log, outcomes, settled } = await setUp(undefined)
    const publish = [publication('follow-up', 'nobody', 'nowhere')]
    outcomes.finish({ delivery, publish, write: write('3') }, undefined, settled)
    await idle()
    // The store keeps the success that it has already.
    expect(log).toEqual([
      'store 3',
      'publish follow-up + ack',
      'refused UnknownExchangeError',
      'store UNSETTLED UnknownExchangeError',
      'dead',
      'done',
      'store UNSENT follow-up',
    ])
    expect(await broker.declareQueue({ name: 'q' })).toMatchObject({ held: 0, ready: 0 })
  })
})

test('where broker and store differ and the message was acknowledged, a refused follow-up fails the task', async () => {
  const { delivery, idle, log, outcomes, settled } = await setUp(undefined)
  const publish = [publication('follow-up', 'nobody', 'nowhere')]
  outcomes.finish({ publish, write: write('3') }, outcomes.acknowledge(delivery, settled), settled)
  await idle()
  expect(log).toContain('refused UnknownExchangeError')
  expect(log.slice(-2)).toEqual(['store UNSETTLED UnknownExchangeError', 'store UNSENT follow-up'])
  expect(log).not.toContain('store 3')
})

describe('where they are one', () => {
  test('late ack: all in one settlement', async () => {
    const { delivery, idle, log, outcomes, settled } = await setUp('here')
    outcomes.finish({ delivery, publish: follow, write: write('3') }, undefined, settled)
    await idle()
    expect(log).toEqual(['publish follow-up + write 3 + ack', 'done'])
  })

  test('early ack that has not left yet: the outcome leaves with it', async () => {
    const { delivery, idle, log, outcomes, settled } = await setUp('here')
    const acknowledged = outcomes.acknowledge(delivery, settled)
    outcomes.finish({ publish: follow, write: write('3') }, acknowledged, settled)
    await idle()
    expect(log).toEqual(['publish follow-up + write 3 + ack', 'done'])
  })

  test('early ack that has left: the outcome follows', async () => {
    const { delivery, log, outcomes, settled } = await setUp('here')
    const acknowledged = outcomes.acknowledge(delivery, settled)
    while (!acknowledged.sent) await new Promise((resolve) => setImmediate(resolve))
    outcomes.finish({ write: write('3') }, acknowledged, settled)
    await outcomes.close(10_000)
    expect(log).toEqual(['ack', 'done', 'write 3', 'done'])
  })

  test('of a delivery that has gone to another worker nothing happens', async () => {
    const { broker, delivery, idle, log, outcomes, settled } = await setUp('here')
    await broker.settle([{ delivery, action: { type: 'requeue', counted: true } }])
    outcomes.finish({ delivery, publish: follow, write: write('3') }, undefined, settled)
    await idle()
    expect(log.at(-1)).toBe('stale')
    expect(await broker.declareQueue({ name: 'next' })).toMatchObject({ ready: 0 })
  })

  test('a result too large for the store: a failure is written instead', async () => {
    const { delivery, idle, log, outcomes, settled } = await setUp('here')
    outcomes.finish({ delivery, write: write('too large') }, undefined, settled)
    await idle()
    expect(log).toEqual(['write FAILURE ResultTooLargeError + ack', 'done'])
  })

  test.each(['late', 'early'])('%s ack and a follow-up that has nowhere to go: the task fails', async (when) => {
    const { delivery, idle, log, outcomes, settled } = await setUp('here')
    const publish = [publication('follow-up', 'nobody', 'nowhere')]
    const acknowledged = when === 'early' ? outcomes.acknowledge(delivery, settled) : undefined
    outcomes.finish({ ...(when === 'late' && { delivery }), publish, write: write('3') }, acknowledged, settled)
    await idle()
    expect(log).toEqual([
      'publish follow-up + write 3 + ack',
      'refused UnknownExchangeError',
      'write UNSETTLED UnknownExchangeError + write UNSENT follow-up + dead',
      'done',
    ])
  })
})

describe('F-25 where they were one until a failover to another broker', () => {
  test('the result of what ends then is stored by itself', async () => {
    const { delivery, failover, idle, log, outcomes, settled } = await setUp('here')
    failover()
    outcomes.finish({ delivery, publish: follow, write: write('3') }, undefined, settled)
    await idle()
    expect(log).toEqual(['store 3', 'publish follow-up + ack', 'done'])
  })

  test('late ack: what was on its way is stored, and then follow-ups leave with the acknowledgement', async () => {
    const { delivery, failover, idle, log, outcomes, settled } = await setUp('here')
    outcomes.finish({ delivery, publish: follow, write: write('3') }, undefined, settled)
    failover()
    await idle()
    expect(log.slice(1)).toEqual(['refused ForeignWriteError', 'store 3', 'publish follow-up + ack', 'done'])
  })

  test('early ack: what was on its way is acknowledged, and stored when follow-ups have left', async () => {
    const { delivery, failover, idle, log, outcomes, settled } = await setUp('here')
    const acknowledged = outcomes.acknowledge(delivery, settled)
    outcomes.finish({ publish: follow, write: write('3') }, acknowledged, settled)
    failover()
    await idle()
    expect(log.slice(1)).toEqual(['refused ForeignWriteError', 'ack', 'publish follow-up', 'done', 'store 3'])
  })

  test('a result without a message is stored', async () => {
    const { failover, idle, log, outcomes, settled } = await setUp('here')
    outcomes.finish({ write: write('STARTED') }, undefined, settled)
    failover()
    await idle()
    expect(log).toEqual(['write STARTED', 'refused ForeignWriteError', 'store STARTED'])
  })
})

describe('CANV-061 the records of steps that are not going to run', () => {
  const unreached = ['b', 'c'].map((taskId) => ({ taskId, state: 'FAILURE', record: `FAILURE ${taskId}` }))

  test('are part of the one settlement', async () => {
    const { delivery, idle, log, outcomes, settled } = await setUp('here')
    outcomes.finish({ delivery, write: write('FAILURE a'), unreached }, undefined, settled)
    await idle()
    expect(log).toEqual(['write FAILURE a + write FAILURE b + write FAILURE c + ack', 'done'])
  })

  test('are stored once the message is acknowledged', async () => {
    const { delivery, idle, log, outcomes, settled } = await setUp(undefined)
    outcomes.finish({ delivery, write: write('FAILURE a'), unreached }, undefined, settled)
    await idle()
    expect(log).toEqual(['store FAILURE a', 'ack', 'done', 'store FAILURE b', 'store FAILURE c'])
  })

  test('P-7 are not stored where another worker has the message, which may be about to send them', async () => {
    const { broker, delivery, idle, log, outcomes, settled } = await setUp(undefined)
    await broker.settle([{ delivery, action: { type: 'requeue', counted: false } }])
    log.length = 0
    outcomes.finish({ delivery, write: write('REVOKED a'), unreached }, undefined, settled)
    await idle()
    expect(log).toEqual(['store REVOKED a', 'ack', 'stale'])
  })

  test.each([
    ['here', 'write FAILURE a + write FAILURE b + write FAILURE c + write UNSENT follow-up + dead'],
    [undefined, 'store FAILURE b'],
  ])('are kept where its errbacks are refused and it is to be buried (domain %s)', async (domain, kept) => {
    const { delivery, idle, log, outcomes, settled } = await setUp(domain, ({ publish }) => publish !== undefined)
    const action = { type: 'dead', reason: 'unknown' } as const
    outcomes.finish({ delivery, action, publish: follow, write: write('FAILURE a'), unreached }, undefined, settled)
    await idle()
    expect(log).toContain(kept)
    expect(log).toContain('done')
  })

  test.each(['here', undefined])('are kept also where its own is not (domain %s)', async (domain) => {
    const { delivery, idle, log, outcomes, settled } = await setUp(domain)
    outcomes.finish({ unreached }, outcomes.acknowledge(delivery, settled), settled)
    await idle()
    const all =
      domain === undefined ? ['store FAILURE b', 'store FAILURE c'] : ['write FAILURE b + write FAILURE c + ack']
    expect(log.filter((line) => line.includes('FAILURE'))).toEqual(all)
  })

  test('one that the store refuses does not keep the others', async () => {
    const { delivery, idle, log, outcomes, settled } = await setUp('here')
    const large = { taskId: 'b', state: 'FAILURE', record: 'too large' }
    outcomes.finish({ delivery, write: write('FAILURE a'), unreached: [large] }, undefined, settled)
    await idle()
    expect(log).toEqual(['write FAILURE a + write FAILURE ResultTooLargeError + ack', 'done'])
  })
})

test.each(['here', undefined])('P-3 a message that cannot even be buried is abandoned (domain %s)', async (domain) => {
  const { delivery, idle, log, outcomes, settled } = await setUp(domain, () => true)
  outcomes.finish({ delivery, publish: follow, write: write('3') }, undefined, settled)
  await idle()
  expect(log.filter((line) => line.endsWith('dead'))).toHaveLength(domain === undefined ? 1 : 2)
  expect(log.at(-1)).toBe(`abandon ${delivery.tag}`)
})

test('an end that is refused for its errbacks, and then for its records, is buried without either', async () => {
  const isMore = ({ publish, writes }: Settlement): boolean => publish !== undefined || writes !== undefined
  const { delivery, idle, log, outcomes, settled } = await setUp('here', isMore)
  outcomes.finish({ delivery, action: { type: 'dead', reason: 'unknown' }, publish: follow }, undefined, settled)
  await idle()
  const refused = 'refused Error'
  const [first, second] = ['publish follow-up + dead', 'write UNSENT follow-up + dead']
  // The records are stored by themselves.
  expect(log).toEqual([first, refused, second, refused, 'dead', 'done', 'store UNSENT follow-up'])
})

test('closing tries at once what waits for its next attempt, with the result first', async () => {
  let away = true
  const { delivery, log, outcomes, settled, failed } = await setUp(
    undefined,
    () => false,
    () => away,
  )
  outcomes.finish({ delivery, write: write('3') }, undefined, settled)
  await failed.promise
  // Its lease has to be kept as long.
  expect([...outcomes.unstored]).toEqual([delivery])
  away = false
  expect(await outcomes.close(10_000)).toEqual({ results: 0, settlements: 0 })
  expect(log.slice(-3)).toEqual(['store 3', 'ack', 'done'])
  expect([...outcomes.unstored]).toEqual([])
})

test('without anything to store or send there is just the acknowledgement', async () => {
  const { delivery, idle, log, outcomes, settled } = await setUp(undefined)
  outcomes.finish({ delivery }, undefined, settled)
  outcomes.finish({}, undefined, settled)
  await idle()
  expect(log).toEqual(['ack', 'done'])
})

test.each(['here', undefined])('P-10 what comes after the end is dropped (domain %s)', async (domain) => {
  const { delivery, idle, log, outcomes, settled } = await setUp(domain)
  await idle()
  outcomes.finish({ delivery, publish: follow, write: write('late') }, undefined, settled)
  expect(outcomes.pending).toBe(0)
  await idle()
  expect(log).toEqual([])
})
