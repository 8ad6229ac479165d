import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { envelope, HostileScene } from './hostile-scene.ts'

/** Bodies in formats that a worker reads only where that is asked for. */
const formats: readonly [what: string, contentType: string, body: string | Uint8Array, reason: RegExp][] = [
  ['H-20 a function', 'application/x-yaml', '[[!!js/function "() => 1"], {}, {}]', /js\/function|tag/],
  ['H-20 a Python object', 'application/x-yaml', '[[!!python/object/apply:os.system ["id"]], {}, {}]', /python|tag/],
  ['H-20 aliases of aliases, ten times ten', 'application/x-yaml', aliasBomb(10, 10), /more than \d+ values/],
  ['H-21 a list of 2^32 - 1 items, and none there', 'application/x-msgpack', hex('ddffffffff'), /msgpack/],
  ['H-21 10,000 lists in each other', 'application/x-msgpack', Buffer.alloc(10_000, 0x91), /msgpack/],
  ['H-21 a type of its own', 'application/x-msgpack', hex('93 91 c7 02 63 00 00 80 80'), /msgpack/],
  ['H-21 a record', 'application/x-msgpack', hex('93 91 d4 72 40 80 80'), /msgpack/],
  [
    'H-22 pickle that calls a function',
    'application/x-python-serialize',
    "cos\nsystem\n(S'touch /tmp/celery-was-here'\ntR.",
    /os\.system/,
  ],
  ['H-22 pickle that makes an object', 'application/x-python-serialize', hex('80 02 63 61 0a 42 0a 29 81 2e'), /a\.B/],
]

describe.each([
  ['prefork', true],
  ['async', false],
])('a worker with the %s pool that reads every format', (pool, taskAcksLate) => {
  let hostile: HostileScene
  beforeAll(async () => {
    const acceptContent = ['json', 'yaml', 'msgpack', 'pickle']
    hostile = await HostileScene.open(
      // Root is refused a worker that reads pickle.
      { settings: { taskAcksLate, acceptContent }, env: { C_FORCE_ROOT: '1' } },
      ...['-c', '1', '-P', pool],
    )
  })
  afterAll(async () => {
    const status = await hostile.worker.stop()
    await hostile[Symbol.asyncDispose]()
    expect(status).toBe(0)
  })

  test.each(formats)('%s is refused', async (what, contentType, body, reason) => {
    const id = what.replaceAll(/[^a-z0-9]+/gi, '-')
    const refusal = await hostile.expectRefused(envelope({ headers: { id }, contentType, body }), id)
    expect(refusal.reason).toMatch(reason)
  })

  test('H-13 H-20 what is merged into an object becomes data of it', async () => {
    const body = '[[{a: 1, <<: {__proto__: {polluted: true}, b: 2}}], {}, {}]'
    await hostile.put(envelope({ headers: { id: 'merged' }, contentType: 'application/x-yaml', body }))
    const [merged] = (await hostile.scene.value('merged')) as readonly object[]
    expect(Object.keys(merged ?? {})).toEqual(expect.arrayContaining(['a']))
    await hostile.expectNothingPolluted()
  })

  test('good ones are read', async () => {
    for (const serializer of ['yaml', 'msgpack']) {
      const { id } = await hostile.scene.client.sendTask('echo', ['x', 1], { serializer })
      expect(await hostile.scene.value(id)).toEqual(['x', 1])
    }
    await hostile.put(
      envelope({
        headers: { id: 'good-pickle' },
        contentType: 'application/x-python-serialize',
        // pickle.dumps(([1], {}, {}), 2)
        body: hex('80 02 5d 71 00 4b 01 61 7d 71 01 7d 71 02 87 71 03 2e'),
      }),
    )
    expect(await hostile.scene.value('good-pickle')).toEqual([1])
  })
})

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex')
}

/** Each level names the one below so many times. */
function aliasBomb(levels: number, width: number): string {
  const lines = Array.from({ length: levels }, (_, level) => {
    const items = level === 0 ? '1' : Array.from({ length: width }, () => `*a${level - 1}`).join(', ')
    return `a${level}: &a${level} [${items}]`
  })
  return `${lines.join('\n')}\n`
}
