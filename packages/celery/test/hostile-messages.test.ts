import { brotliCompressSync, constants, deflateRawSync, deflateSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { envelope, HostileScene } from './hostile-scene.ts'

const deep = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)

/** A good envelope with text that is no JSON value, or too much of one, where a header is. */
const withHeader = (name: string, text: string): string =>
  envelope({ headers: { id: `with-${name}`, [name]: 'HERE' } }).replace('"HERE"', text)

const unreadable: readonly [what: string, payload: string | Uint8Array, reason: RegExp][] = [
  ['H-01 text that is no JSON', 'not json', /envelope/],
  ['H-01 an empty text', '', /envelope/],
  ['H-01 bytes that are no text', new Uint8Array([0, 1, 2, 0xff]), /envelope/],
  ['H-02 null', 'null', /expected a JSON object/],
  ['H-02 a list', '[]', /expected a JSON object/],
  ['H-02 a number', '1', /expected a JSON object/],
  ['H-02 a text', '"x"', /expected a JSON object/],
  ['H-03 no properties', envelope({ fields: { properties: undefined } }), /properties/],
  ['H-03 no headers', envelope({ fields: { headers: undefined } }), /task/],
  ['H-03 no body', envelope({ fields: { body: undefined } }), /body/],
  ['H-03 no delivery_info', envelope({ properties: { delivery_info: undefined } }), /delivery_info/],
  ['H-03 no delivery_tag', envelope({ properties: { delivery_tag: undefined } }), /delivery_tag/],
  ['H-04 200,000 lists in each other', deep(200_000), /nested/],
  ['H-04 200,000 lists in a header', withHeader('eta', deep(200_000)), /nested/],
  ['H-05 bytes that are not UTF-8', Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xff, 0xfe])]), /UTF-8/],
  ['H-06 17 MiB', envelope({ body: 'x'.repeat(13 * 2 ** 20) }), /larger than 16777216 bytes/],
  ['H-07 an unknown body encoding', envelope({ properties: { body_encoding: 'rot13' } }), /encoding/],
  ['H-07 base64 that is none', envelope({ fields: { body: '@@@' } }), /base64/],
  ['H-17 an id that is null', envelope({ headers: { id: null } }), /headers\.id/],
  ['H-17 an id that is an object', envelope({ headers: { id: { a: 1 } } }), /headers\.id/],
  ['H-17 an id of 10 MB', envelope({ headers: { id: 'x'.repeat(10_000_000) } }), /headers\.id/],
  ['H-17 an id of two lines', envelope({ headers: { id: 'a\nb' } }), /headers\.id/],
  ['H-17 an id with NUL', envelope({ headers: { id: 'a\0b' } }), /headers\.id/],
  ['H-17 no id', envelope(), /headers\.id/],
]

const wrongHeaders: readonly [what: string, field: string, text: string][] = [
  ['H-14 eta: text that is no time', 'eta', '"soon"'],
  ['H-14 eta: a number', 'eta', '1e308'],
  ['H-14 eta: NaN', 'eta', 'NaN'],
  ['H-14 eta: an object', 'eta', '{}'],
  ['H-14 eta: the year 99999', 'eta', '"99999-01-01T00:00:00Z"'],
  ['H-14 expires: a negative number', 'expires', '-1'],
  ['H-14 expires: a month there is not', 'expires', '"2030-13-01T00:00:00Z"'],
  ['H-15 timelimit: text', 'timelimit', '"abc"'],
  ['H-15 timelimit: negative', 'timelimit', '[-1, -5]'],
  ['H-15 timelimit: longer than a timer', 'timelimit', '[1e12, null]'],
  ['H-16 retries: negative', 'retries', '-1'],
  ['H-16 retries: text', 'retries', '"abc"'],
  ['H-16 retries: 2^53', 'retries', '9007199254740992'],
]

const call = (name: string, changes: Parameters<typeof envelope>[0] = {}): string =>
  envelope({ ...changes, headers: { id: name, ...changes.headers } })

const wrongBodies: readonly [what: string, id: string, payload: string, reason: RegExp][] = [
  [
    'H-04 200,000 lists in the body',
    'deep-body',
    call('deep-body', { body: `[[${deep(200_000)}], {}, {}]` }),
    /nested/,
  ],
  ['H-05 a body that is not UTF-8', 'utf-body', call('utf-body', { body: Buffer.from([0x5b, 0xff, 0xfe]) }), /UTF-8/],
  ['H-08 a content type nobody knows', 'evil', call('evil', { contentType: 'application/evil' }), /application\/evil/],
  [
    'H-08 H-22 pickle that would run a command',
    'pickled',
    call('pickled', {
      contentType: 'application/x-python-serialize',
      body: Buffer.from("cos\nsystem\n(S'touch /tmp/celery-was-here'\ntR."),
    }),
    /pickle|x-python-serialize/,
  ],
  [
    'H-09 a compression nobody knows',
    'unknown-codec',
    call('unknown-codec', { headers: { compression: 'application/x-nope' } }),
    /application\/x-nope/,
  ],
  [
    'H-09 a body that is not compressed as it says',
    'not-packed',
    call('not-packed', { headers: { compression: 'application/x-gzip' } }),
    /corrupt/,
  ],
  ...(
    [
      ['zlib', 'application/x-gzip', zlibBomb()],
      ['gzip', 'application/x-gzip', gzipBomb()],
      ['brotli', 'application/x-brotli', brotliBomb()],
      ['zstd', 'application/zstd', zstdBomb()],
    ] as const
  ).map(([name, compression, body]): (typeof wrongBodies)[number] => [
    `H-10 1 GiB under ${name}`,
    `${name}-bomb`,
    call(`${name}-bomb`, { headers: { compression }, body }),
    /more than 67108864 bytes/,
  ]),
  [
    'H-10 1 GiB under zlib, and that under zlib',
    'nested-bomb',
    call('nested-bomb', { headers: { compression: 'application/x-gzip' }, body: deflateSync(zlibBomb()) }),
    /json/,
  ],
  ['H-18 a body that is an object', 'object-body', call('object-body', { body: '{"a": 1}' }), /body/],
  ['H-18 a body that is null', 'null-body', call('null-body', { body: 'null' }), /body/],
  ['H-18 kwargs that are a list', 'list-kwargs', call('list-kwargs', { body: '[[], [], {}]' }), /kwargs/],
  ['H-18 args that are an object', 'object-args', call('object-args', { body: '[{}, {}, {}]' }), /args/],
  [
    'H-19 a typed value that is none',
    'bad-typed',
    call('bad-typed', { body: '[[{"__type__": "datetime", "__value__": "x"}], {}, {}]' }),
    /datetime/,
  ],
  [
    'H-19 a type there is not, deep inside',
    'no-type',
    call('no-type', { body: '[[[{"a": {"__type__": "constructor", "__value__": 1}}]], {}, {}]' }),
    /constructor/,
  ],
  ['H-11 a task nobody knows', 'unknown-task', call('unknown-task', { headers: { task: 'nope' } }), /nope/],
  ['H-12 a task called __proto__', 'proto-task', call('proto-task', { headers: { task: '__proto__' } }), /__proto__/],
  [
    'H-12 a task called constructor',
    'ctor-task',
    call('ctor-task', { headers: { task: 'constructor' } }),
    /constructor/,
  ],
  ['H-12 a task called toString', 'tostring', call('tostring', { headers: { task: 'toString' } }), /toString/],
  ['H-12 a task called hasOwnProperty', 'has-own', call('has-own', { headers: { task: 'hasOwnProperty' } }), /hasOwn/],
]

describe.each([
  ['prefork', true],
  ['async', false],
])('a worker with the %s pool', (pool, taskAcksLate) => {
  let hostile: HostileScene
  beforeAll(async () => {
    hostile = await HostileScene.open({ settings: { taskAcksLate } }, '-c', '1', '-P', pool)
  })
  afterAll(async () => {
    const status = await hostile.worker.stop()
    await hostile[Symbol.asyncDispose]()
    expect(status).toBe(0)
  })

  test.each(unreadable)('%s', async (_what, payload, reason) => {
    const refusal = await hostile.expectRefused(payload)
    expect(refusal.reason).toMatch(reason)
    expect(refusal.line).toContain(refusal.reason.slice(0, 40))
  })

  test.each(wrongHeaders)('%s', async (_what, field, text) => {
    const { reason } = await hostile.expectRefused(withHeader(field, text), `with-${field}`)
    expect(reason).toContain(field)
    await hostile.scene.client.asyncResult(`with-${field}`).forget()
  })

  test.each(wrongBodies)('%s', async (_what, id, payload, reason) => {
    const memory = async (): Promise<number> =>
      (await hostile.scene.value(await hostile.scene.send('resident-bytes'))) as number
    const before = await memory()
    expect((await hostile.expectRefused(payload, id)).reason).toMatch(reason)
    // Twice the limit for what is decoded.
    expect((await memory()) - before).toBeLessThan(2 * 64 * 2 ** 20)
  })

  test('H-06 128 MiB are refused before they are parsed', async () => {
    // Whoever parsed it would find that it ends too early.
    const { reason } = await hostile.expectRefused(`{"body": "${'x'.repeat(2 ** 27)}`)
    expect(reason).toMatch(/larger than 16777216 bytes/)
  })

  test.each([
    ['16 MiB', 2 ** 24],
    ['128 MiB', 2 ** 27],
  ])('H-06 whoever would send %s is told', async (_size, length) => {
    await expect(hostile.scene.send('echo', 'x'.repeat(length))).rejects.toMatchObject({
      code: 'ERR_CELERY_TASK_MESSAGE_TOO_LARGE',
    })
    await hostile.scene.untilEmpty()
  })

  test('H-15 a time limit of 0 is none', async () => {
    await hostile.put(call('no-limit', { headers: { timelimit: [0, 0] } }))
    expect(await hostile.scene.value('no-limit')).toEqual([1, 2])
  })

  test('H-12 H-13 names of what every object has are data, in arguments, headers and results', async () => {
    const keys = '{"__proto__": {"polluted": true}, "constructor": {"prototype": {"polluted": true}}, "toString": 1}'
    const fields = envelope({
      body: `[[${keys}, [${keys}]], {}, {"callbacks": null, "__proto__": {"polluted": 1}}]`,
      headers: { id: 'data', 'x-own': 'HERE' },
    })
    await hostile.put(
      fields.replace('"HERE"', keys).replace('"lang"', `"__proto__":{"polluted":true},"hasOwnProperty":1,"lang"`),
    )
    const [first] = (await hostile.scene.value('data')) as readonly Record<string, unknown>[]
    expect(Object.keys(first ?? {}).sort()).toEqual(['__proto__', 'constructor', 'toString'])
    const id = 'named'
    await hostile.put(call(id, { headers: { task: 'echo-named' }, body: `[[], {"value": ${keys}}, {}]` }))
    expect(await hostile.scene.value(id)).toEqual(JSON.parse(keys))
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })

  test('nothing has changed what every object has', async () => {
    await hostile.expectNothingPolluted()
  })
})

/** Zeros, as all bombs here: pieces that stand for themselves, without the checksum, to which nobody comes. */
function zlibBomb(): Uint8Array {
  return Buffer.concat([Buffer.from([0x78, 0x9c]), deflatedGibibyte()])
}

function gzipBomb(): Uint8Array {
  return Buffer.concat([Buffer.from('1f8b0800000000000003', 'hex'), deflatedGibibyte()])
}

function deflatedGibibyte(): Uint8Array {
  const piece = deflateRawSync(Buffer.alloc(2 ** 20), { finishFlush: constants.Z_FULL_FLUSH })
  return Buffer.concat(Array.from({ length: 2 ** 10 }, () => piece))
}

function brotliBomb(): Uint8Array {
  return brotliCompressSync(Buffer.alloc(2 ** 30), { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } })
}

/** A frame of blocks that each repeat one byte, as long as a block may be. */
function zstdBomb(): Uint8Array {
  const blockSize = 2 ** 17
  const count = 2 ** 30 / blockSize
  // Window of 128 KiB, no checksum, size unknown.
  const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38])
  const blocks = Array.from({ length: count }, (_, index) => {
    const block = Buffer.alloc(4)
    block.writeUIntLE((blockSize << 3) | (1 << 1) | (index === count - 1 ? 1 : 0), 0, 3)
    return block
  })
  return Buffer.concat([header, ...blocks])
}
