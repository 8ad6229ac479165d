import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrokerConnection, type Publication, parseBrokerUrl } from '@celery/transport'
import { expect, onTestFinished, test } from 'vitest'
import { sqlite } from './sqlite-transport.ts'

test('opens an absolute path, and one relative to the current folder', async () => {
  const folder = await temporaryFolder()
  const absolute = await open(`sqlite:///${folder}/queue.db`)
  expect(absolute.domain).toBe(`sqlite:${join(folder, 'queue.db')}`)
  const before = process.cwd()
  // Not a worker thread: the tests of each file have a process of their own.
  process.chdir(folder)
  onTestFinished(() => process.chdir(before))
  const relative = await open('sqlite:///queue.db')
  expect(relative.domain).toBe(absolute.domain)
})

test.each([
  ['plain.db', 'plain.db'],
  ['a%3Bb.db', 'a;b.db'],
  ['a%3Fb.db?timeout=5', 'a?b.db'],
  ['a%23b#c.db', 'a#b#c.db'],
  ['a b%20c.db', 'a b c.db'],
  ['50%25%.db', '50%%.db'],
  ['a%252Fb.db', 'a%2Fb.db'],
  ['%C3%BC.db ; ', 'ü.db'],
])('opens the file that a result store of the same URL opens: %s is "%s"', async (written, name) => {
  const folder = await temporaryFolder()
  const { domain } = await open(`sqlite:///${folder}/${written}`)
  expect(domain).toBe(`sqlite:${join(folder, name)}`)
})

test.each([
  'sqlite://',
  'sqlite://queue.db',
  'sqlite://host/queue.db',
  'sqlite://user@/queue.db',
  'sqlite:////tmp/',
  'sqlite:///:memory:',
  'sqlite:///a;b.db',
  'sqlite:///a.db;sqlite:///b.db',
])('refuses %s', async (url) => {
  await expect(open(url)).rejects.toMatchObject({ code: 'ERR_CELERY_INVALID_BROKER_URL' })
})

test('says why a file cannot be opened', async () => {
  const folder = await temporaryFolder()
  const cause = { code: 'ERR_CELERY_DATABASE_UNAVAILABLE', reason: 'not-a-database' }
  const junk = join(folder, 'junk.db')
  await writeFile(junk, 'not a database, and longer than the hundred bytes of a header. '.repeat(10))
  await expect(open(`sqlite:///${junk}`)).rejects.toMatchObject({
    code: 'ERR_CELERY_CONNECTION_LOST',
    message: `no connection to sqlite:///${junk}: ${junk} is not an SQLite database: move it away or choose another path`,
    cause,
  })
  await expect(open(`sqlite:///${folder}`)).rejects.toMatchObject({
    code: 'ERR_CELERY_INVALID_BROKER_URL',
    message: expect.stringContaining(`${folder} is a folder, a device or the like, and no file: choose another path`),
  })
})

test('writes text bodies as they are, and bytes as base64', async () => {
  const connection = await open(`sqlite:///${await temporaryFolder()}/queue.db`)
  await connection.publish([publication('text'), publication(new Uint8Array([1, 2]))])
  const deliveries = await connection.fetch(['q'], { max: 2, signal: AbortSignal.timeout(10_000) })
  const bodies = deliveries.map(({ payload }) => JSON.parse(String(payload)).body)
  expect(bodies).toEqual(['text', 'AQI='])
})

test('uses the space of messages that are gone again', async () => {
  const folder = await temporaryFolder()
  const sizes: number[] = []
  for (let round = 0; round < 3; round++) {
    const connection = await open(`sqlite:///${folder}/queue.db`)
    for (let batch = 0; batch < 10; batch++) {
      await connection.publish(Array.from({ length: 100 }, () => publication('x'.repeat(4_000))))
    }
    for (let left = 1_000; left > 0; ) {
      const deliveries = await connection.fetch(['q'], { max: left, signal: AbortSignal.timeout(10_000) })
      await connection.settle(deliveries.map((delivery) => ({ delivery })))
      left -= deliveries.length
    }
    // Closing writes the log into the file.
    await connection.close()
    sizes.push((await stat(join(folder, 'queue.db'))).size)
  }
  expect(sizes[0]).toBeGreaterThan(4_000_000)
  expect(sizes.at(-1)).toBeLessThan(1.3 * (sizes[0] as number))
})

function publication(body: string | Uint8Array): Publication {
  const contentEncoding = typeof body === 'string' ? 'utf-8' : 'binary'
  const message = { body, contentType: 'text/plain', contentEncoding, headers: {}, properties: {} }
  return { exchange: '', routingKey: 'q', message }
}

async function open(url: string): Promise<BrokerConnection> {
  const connection = await sqlite.open(parseBrokerUrl(url))
  onTestFinished(() => connection.close())
  return connection
}

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'celery-transport-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  return folder
}
