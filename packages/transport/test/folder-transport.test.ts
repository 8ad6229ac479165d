/** The driver of docs/how-to/transport-of-your-own.md keeps what its capabilities promise, and the guide shows it as it is. */
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrokerConnection, parseBrokerUrl } from '@celery/transport'
import { type BrokerUnderTest, runCase, transportCases } from '@celery/transport/testkit'
import { describe, expect, test } from 'vitest'
import { folderTransport } from '../examples/folder-transport.ts'

const { capabilities } = folderTransport()

/** A folder of its own, with a clock that can be moved ahead. */
async function folderUnderTest(): Promise<BrokerUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), 'celery-folder-'))
  const transport = folderTransport()
  let aheadMs = 0
  const now = (): number => Date.now() + aheadMs
  return {
    capabilities,
    connect: ({ leaseMs }) => transport.open(parseBrokerUrl(`folder:///${folder}`), { leaseMs, now }),
    advance(ms) {
      aheadMs += ms
    },
    async [Symbol.asyncDispose]() {
      await rm(folder, { recursive: true, force: true })
    },
  }
}

describe('the transport of the guide', () => {
  // What it does not promise is no case for it; `describeTransport` would list those as skipped.
  const promised = transportCases.filter(({ needs }) => needs?.(capabilities) !== false)

  // Thousands of files take their time on a disk that others use too.
  const deadlineMs = 60_000
  test.each(promised)('$name', { timeout: 3 * deadlineMs }, async (each) => {
    expect(await runCase(each, folderUnderTest, { deadlineMs })).toBe('passed')
  })

  test('is held to most of the kit', () => {
    expect(promised.length).toBeGreaterThan(100)
  })
})

test('processes that take from one folder at the same time get every message once', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'celery-folder-'))
  const address = parseBrokerUrl(`folder:///${folder}`)
  // A transport of its own knows as little of the others as another process does.
  const connections = await Promise.all([1, 2, 3].map(() => folderTransport().open(address)))
  const [first] = connections as [BrokerConnection]
  const bodies = Array.from({ length: 120 }, (_, index) => `message ${index}`)
  const properties = { contentType: 'text/plain', contentEncoding: 'utf-8', headers: {}, properties: {} }
  await first.publish(bodies.map((body) => ({ exchange: '', routingKey: 'q', message: { body, ...properties } })))

  const taken: string[] = []
  const all = new AbortController()
  const consume = async (connection: BrokerConnection) => {
    while (taken.length < bodies.length) {
      const deliveries = await connection.fetch(['q'], { max: 5, signal: all.signal })
      taken.push(...deliveries.map(({ payload }) => (JSON.parse(String(payload)) as { body: string }).body))
      await connection.settle(deliveries.map((delivery) => ({ delivery })))
    }
    all.abort()
  }
  await Promise.allSettled(connections.map(consume))
  expect(taken.toSorted()).toEqual(bodies.toSorted())
  await Promise.all(connections.map((connection) => connection.close()))
  await rm(folder, { recursive: true })
})

describe('the guide', () => {
  const guide = readFileSync(new URL('../../../docs/how-to/transport-of-your-own.md', import.meta.url), 'utf8')
  const source = readFileSync(new URL('../examples/folder-transport.ts', import.meta.url), 'utf8')

  test('shows the whole example as it is', () => {
    expect(guide).toContain(`\`\`\`ts\n// folder-transport.ts\n${source}\`\`\`\n`)
  })

  test('keeps its word that a transport takes a hundred lines', () => {
    expect(source.trimEnd().split('\n').length).toBeLessThanOrEqual(100)
  })
})
