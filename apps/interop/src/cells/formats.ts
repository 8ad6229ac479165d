/** How bodies and results are written. */
import assert from 'node:assert/strict'
import { DateTime } from 'celery'
import { assertValue, type Cell, echoes } from '../cell.ts'
import type { CallOptions } from '../client.ts'

const texts = ['', 'plain', 'ünï — 💥', 'a\nb\t"c" \\ \'d\'', ' space ', 'null', 'yes', '12', '\u0001']
const numbers = [0, -1, 1.5, -2.25e-7, 2 ** 31, 2 ** 53, 2n ** 53n + 1n, -(2n ** 63n), 2n ** 64n - 1n]
const containers = [[], {}, [[], [{}]], { a: { b: [1, { c: null }] } }, { 'ключ ü': [true, false, null] }]
const values = [null, true, false, ...texts, ...numbers, ...containers]

const bytes = new Uint8Array([0, 0x61, 0xff, 0x80])
const moment = new DateTime('2026-11-22T10:20:30.456000+00:00')

/** Those that both have, and how messages call them. */
const compressions = {
  zlib: 'application/x-gzip',
  gzip: 'application/x-gzip',
  bzip2: 'application/x-bz2',
  lzma: 'application/x-lzma',
  zstd: 'application/zstd',
  brotli: 'application/x-brotli',
}

const contentTypes = { json: 'application/json', yaml: 'application/x-yaml', msgpack: 'application/x-msgpack' }

export const formatCells: readonly Cell[] = [
  echoes('json', [...values, 2n ** 70n, 1e100]),
  echoes('json: numbers that JSON has not', [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN]),
  echoes('yaml', [...values, 2n ** 70n], { serializer: 'yaml' }),
  echoes('msgpack', values, { serializer: 'msgpack' }),
  ...['json', 'yaml', 'msgpack'].map((serializer) =>
    typesOf(serializer, [
      [null, 'null'],
      [true, 'boolean'],
      [2n ** 53n + 1n, 'integer'],
      [1.5, 'float'],
      ['1', 'text'],
      [[], 'list'],
      [{}, 'object'],
      ...(serializer === 'json' ? [] : ([[bytes, 'bytes']] as const)),
      ...(serializer === 'yaml' ? ([[moment, 'datetime']] as const) : []),
    ]),
  ),
  {
    name: 'json: a date for workers before 5.3 is text',
    async run(stage) {
      const client = stage.clientWith({ settings: { fleet_version: '5.2' } })
      const id = await client.send({ task: 'interop.type_of', args: [moment] })
      assertValue(await client.wait(id), 'text')
    },
  },
  ...Object.entries(contentTypes).map(([serializer, contentType]) =>
    written(`${serializer}: the content type of messages`, { serializer }, { contentType }),
  ),
  ...Object.entries(compressions).map(([compression, header]) =>
    written(`compression ${compression}`, { compression }, { contentType: contentTypes.json, compression: header }),
  ),
  written(
    'compression of another format than json',
    { compression: 'zlib', serializer: 'msgpack' },
    { contentType: contentTypes.msgpack, compression: compressions.zlib },
  ),
  ...(
    [
      ['yaml', [...values, bytes, moment]],
      ['msgpack', [...values, bytes]],
    ] as const
  ).map(
    ([serializer, all]): Cell => ({
      name: `results in ${serializer}`,
      long: true,
      async run(stage) {
        const settings = { result_serializer: serializer, task_serializer: serializer }
        const client = stage.clientWith({ settings })
        await stage.startWorker(stage.direction.worker, { settings })
        const options = { queue: stage.queue }
        const ids = await client.sendMany(all.map((value) => ({ task: 'interop.echo', args: [value], options })))
        const outcomes = await client.waitAll(ids)
        for (const [index, value] of all.entries()) assertValue(outcomes[index], value)
      },
    }),
  ),
]

const long = 'ä'.repeat(5_000)

/** A call whose message says how it was written, and which is read. */
function written(
  name: string,
  options: CallOptions,
  { compression, contentType }: { readonly contentType: string; readonly compression?: string },
): Cell {
  return {
    name,
    async run(stage) {
      const { client } = stage
      const call = { task: 'interop.echo', args: [long], options }
      const { headers, ...envelope } = await stage.envelopeOf(client, call)
      assert.deepEqual([envelope['content-type'], headers['compression']], [contentType, compression])
      assertValue(await client.wait(await client.send(call)), long)
    },
  }
}

/** What a task gets is what was meant, and not only the same again when it comes back. */
function typesOf(serializer: string, pairs: readonly (readonly [value: unknown, type: string])[]): Cell {
  return {
    name: `${serializer}: types of what arrives`,
    async run({ client }) {
      const calls = pairs.map(([value]) => ({ task: 'interop.type_of', args: [value], options: { serializer } }))
      const outcomes = await client.waitAll(await client.sendMany(calls))
      for (const [index, [, type]] of pairs.entries()) assertValue(outcomes[index], type)
    },
  }
}
