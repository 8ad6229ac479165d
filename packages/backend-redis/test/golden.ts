import { readdirSync, readFileSync } from 'node:fs'
import type { RedisClient } from '@celery/redis'

/** A key as it lay in Redis: of type string, list, or zset with scores. */
export interface GoldenKey {
  readonly type: 'string' | 'list' | 'zset'
  /** Seconds; -1 for none. */
  readonly ttl: number
  readonly value: string | { readonly base64: string } | readonly string[] | readonly (readonly [string, number])[]
}

export type GoldenKeys = Readonly<Record<string, GoldenKey>>

/** What Python's result backend left when it was told to store four records, a group, and with some settings a chord part. */
export interface GoldenResults {
  readonly name: string
  readonly conf?: { readonly result_backend_transport_options?: Readonly<Record<string, unknown>> }
  readonly keys: GoldenKeys
}

const versions = ['4.3', '5.2', '5.6'] as const

/** The recordings of records belong to `@celery/protocol`. */
export function readGoldenResults(): readonly GoldenResults[] {
  return versions.flatMap((version) => {
    const folder = new URL(`../../protocol/test/golden/results/redis-direct-${version}/`, import.meta.url)
    return readdirSync(folder).map((file) => {
      const results = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Omit<GoldenResults, 'name'>
      return { ...results, name: `${version} ${file.replace('.json', '')}` }
    })
  })
}

/** The join keys after each of two parts of a chord of three. */
export interface GoldenChord {
  readonly name: string
  readonly version: string
  readonly ordered: boolean
  readonly snapshots: readonly GoldenKeys[]
}

export function readGoldenChords(): readonly GoldenChord[] {
  return versions.flatMap((version) =>
    [true, false].map((ordered) => {
      const name = `chord-join-${ordered ? '' : 'un'}ordered-${version}`
      const file = JSON.parse(readFileSync(new URL(`golden/${name}.json`, import.meta.url), 'utf8')) as {
        readonly snapshots_after_each_part: readonly GoldenKeys[]
      }
      return { name, version, ordered, snapshots: file.snapshots_after_each_part }
    }),
  )
}

/** Puts the keys into an empty database, as Python would have. */
export async function load(client: RedisClient, keys: GoldenKeys): Promise<void> {
  await client.send('FLUSHDB')
  for (const [key, { ttl, type, value }] of Object.entries(keys)) {
    if (type === 'string') await client.send('SET', key, bytesOf(value))
    if (type === 'list') await client.send('RPUSH', key, ...(value as readonly string[]))
    for (const [member, score] of type === 'zset' ? (value as readonly (readonly [string, number])[]) : []) {
      await client.send('ZADD', key, score, member)
    }
    if (ttl >= 0) await client.send('EXPIRE', key, ttl)
  }
}

/** What lies in the database, in the form of the recordings; what is left of a time to live is rounded up to whole minutes. */
export async function dump(client: RedisClient): Promise<GoldenKeys> {
  const dumped: Record<string, GoldenKey> = {}
  for (const key of ((await client.send('KEYS', '*')) as string[]).sort()) {
    const type = (await client.send('TYPE', key)) as GoldenKey['type']
    const ttl = (await client.send('TTL', key)) as number
    dumped[key] = { type, ttl: ttl < 0 ? ttl : Math.ceil(ttl / 60) * 60, value: await readValue(client, key, type) }
  }
  return dumped
}

async function readValue(client: RedisClient, key: string, type: string): Promise<GoldenKey['value']> {
  if (type === 'list') return (await client.send('LRANGE', key, 0, -1)) as string[]
  if (type === 'zset') {
    const members = (await client.send('ZRANGE', key, 0, -1)) as string[]
    return Promise.all(
      members.map(async (member) => [member, Number(await client.send('ZSCORE', key, member))] as const),
    )
  }
  if (type !== 'string') return type
  const bytes = (await client.sendBuffer('GET', key)) as Buffer
  return bytes.equals(Buffer.from(bytes.toString())) ? bytes.toString() : { base64: bytes.toString('base64') }
}

export function bytesOf(value: GoldenKey['value']): Buffer {
  if (typeof value === 'string') return Buffer.from(value)
  if ('base64' in value) return Buffer.from(value.base64, 'base64')
  throw new TypeError('the key is not a string')
}
