/** The driver of docs/how-to/transport-of-your-own.md keeps what its capabilities promise, and the guide shows it as it is. */
import { readFileSync } from 'node:fs'
import { parseBrokerUrl } from '@celery/transport'
import { type BrokerUnderTest, runCase, transportCases } from '@celery/transport/testkit'
import { describe, expect, test } from 'vitest'
import { listTransport } from '../examples/list-transport.ts'

/** A transport of its own, and so a store of its own, with a clock that can be moved ahead. */
async function listUnderTest(): Promise<BrokerUnderTest> {
  const transport = listTransport()
  let aheadMs = 0
  const now = (): number => Date.now() + aheadMs
  return {
    capabilities: transport.capabilities,
    connect: ({ leaseMs }) => transport.open(parseBrokerUrl('list://'), { leaseMs, now }),
    advance(ms) {
      aheadMs += ms
    },
    // The store is garbage once its transport is.
    async [Symbol.asyncDispose]() {},
  }
}

describe('the transport of the guide', () => {
  const { capabilities } = listTransport()
  // What it does not promise is no case for it; `describeTransport` would list those as skipped.
  const promised = transportCases.filter(({ needs }) => needs?.(capabilities) !== false)

  test.each(promised)('$name', async (each) => {
    expect(await runCase(each, listUnderTest)).toBe('passed')
  })

  test('is held to most of the kit', () => {
    expect(promised.length).toBeGreaterThan(100)
  })
})

describe('the guide', () => {
  const guide = readFileSync(new URL('../../../docs/how-to/transport-of-your-own.md', import.meta.url), 'utf8')
  const source = readFileSync(new URL('../examples/list-transport.ts', import.meta.url), 'utf8')
  const blocks = [...guide.matchAll(/^```ts\n\/\/ list-transport\.ts\n(.*?)^```$/gms)].map(([, block = '']) => block)

  test('shows the example', () => {
    expect(blocks.length).toBeGreaterThanOrEqual(5)
  })

  test.each(blocks.map((block) => [block]))('shows it as it is: %#', (block) => {
    expect(source).toContain(block)
  })
})
