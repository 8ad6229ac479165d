import { CompressionRegistry, pickleSerializer, SerializerRegistry } from '@celery/serialization'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  decodeMessageHeaders,
  decodeResultTuple,
  decodeTaskBody,
  decodeTaskHeaders,
  encodeEnvelope,
  encodeTaskMessage,
  encodeTaskMessageV1,
  type MessageProperties,
  parseIsoTime,
  type TaskBody,
  type TaskCall,
  type TaskHeaders,
  type WireMessage,
} from '../src/index.ts'
import { CANVAS, GOLDEN_CALLS, type GoldenCall } from './golden-calls.ts'
import { type Recorded, readFolder, readMessages, type TaskCase, VERSIONS } from './read-golden.ts'
import { receive } from './receive.ts'

const serializers = new SerializerRegistry().register('pickle', pickleSerializer())
const compressions = new CompressionRegistry()
const FORMATS = ['json', 'yaml', 'msgpack', 'pickle']
const accept = serializers.acceptList(FORMATS)

beforeAll(async () => {
  await Promise.all(FORMATS.map((name) => serializers.load(name)))
  await Promise.all(compressions.names().map((name) => compressions.load(name)))
})

function readBody({ body, headers, contentType, contentEncoding }: WireMessage): unknown {
  const { compression } = headers
  const plain = typeof compression === 'string' ? compressions.decompress(body, compression) : body
  return serializers.decode(plain, contentType, contentEncoding, { accept })
}

function isText({ message: { headers, contentType } }: Recorded): boolean {
  return contentType === 'application/json' && headers['compression'] === undefined
}

/** What a worker does with a message. */
function decoded({ message }: Recorded): { headers: TaskHeaders; body: TaskBody } {
  return { headers: decodeMessageHeaders(message, readBody), body: decodeTaskBody(readBody(message)) }
}

/** In a pickle, Python makes signatures by a function of its own, which is nothing that our reader would call. */
const isPickledSignature = ({ call }: Recorded): boolean => call === 'serializer_chain_pickle'
const named = (messages: readonly Recorded[]): [string, Recorded][] => messages.map((each) => [each.name, each])

test('every file is of a call that is known here', () => {
  for (const version of VERSIONS) {
    for (const broker of ['redis', 'amqp']) {
      for (const [name, { call, error, messages }] of readFolder<TaskCase>(`tasks/${broker}-${version}`)) {
        expect(GOLDEN_CALLS.has(name), name).not.toBe(CANVAS.has(name))
        if (GOLDEN_CALLS.has(name)) expect(call).toBe(GOLDEN_CALLS.get(name)?.says)
        if (error !== undefined) expect(messages).toEqual([])
      }
    }
  }
})

describe.each(VERSIONS)('a message of Celery %s', (version) => {
  const messages = ['redis', 'amqp', 'worker-sent-redis'].flatMap((source) => readMessages(`${source}-${version}`))
  const readable = messages.filter((message) => !isPickledSignature(message))
  const single = messages.filter(({ call, name }) => GOLDEN_CALLS.has(call) && !name.startsWith('worker-sent'))

  test('there are as many as were recorded', () => {
    expect([messages.length, readable.length, single.length]).toEqual(
      { '4.3': [153, 151, 85], '5.2': [156, 154, 85], '5.6': [164, 162, 89] }[version],
    )
  })

  test.each(named(readable))('%s is decoded', (_, recorded) => {
    const { headers, body } = decoded(recorded)
    const { args, kwargs, ...embed } = partsOf(recorded)
    expect(headers).toMatchObject('task' in recorded.headers ? recorded.headers : headersOfBody(recorded.body))
    expect(recorded.message.properties).toMatchObject(recorded.properties)
    expect(body).toMatchObject({ args, kwargs })
    expect(withoutDefaults(body.embed)).toEqual(withoutDefaults(embed))
  })

  test.each(named(messages.filter(isPickledSignature)))('%s is refused', (_, recorded) => {
    expect(decodeMessageHeaders(recorded.message, neverAsked)).toMatchObject(recorded.headers)
    expect(() => readBody(recorded.message)).toThrow(expect.objectContaining({ code: 'ERR_CELERY_DECODE' }))
  })

  test.each(named(messages.filter(({ message }) => message.contentType !== 'application/json')))(
    '%s is refused where only JSON is accepted',
    (_, { message }) => {
      expect(() => receive(message)).toThrow(expect.objectContaining({ code: 'ERR_CELERY_CONTENT_DISALLOWED' }))
    },
  )

  test.each(named(messages.filter(({ headers }) => 'task' in headers)))(
    '%s of protocol 2 is decoded without a look at its body',
    (_, { message }) => {
      expect(decodeMessageHeaders(message, neverAsked)).toEqual(decodeTaskHeaders(message.headers))
    },
  )

  test.each(named(single))('%s says what was called, and we write the same', (_, recorded) => {
    const golden = GOLDEN_CALLS.get(recorded.call)!
    const call = callIn(recorded, golden)
    const options = { fleetVersion: version }
    const sent = golden.protocol === 1 ? encodeTaskMessageV1(call, options) : encodeTaskMessage(call, options)
    const { properties, headers } = recorded

    const theirs = golden.protocol === 1 ? withoutChordSize(recorded.body) : headers
    const ours: Fields = golden.protocol === 1 ? { ...sent.body } : sent.headers
    const { lang: _l, origin: _o, compression: _c, argsrepr, kwargsrepr, ...compared } = theirs
    // Those of later versions are known to nobody here, and ignored.
    const known = Object.fromEntries(Object.keys(compared).map((name) => [name, ours[name]]))
    expect(timesIn(known)).toEqual(timesIn(compared, golden.eastOfUtc))
    expect(sent.properties).toEqual(comparable(properties, call))
    if (golden.isShownOtherwise === undefined) {
      expect([ours['argsrepr'], ours['kwargsrepr']]).toEqual([argsrepr, kwargsrepr])
    }

    const written = serializers.encode(sent.body).body
    expect(decodeTaskBody(serializers.decode(written, 'application/json'))).toEqual(decoded(recorded).body)
    if (golden.protocol === 2 && isText(recorded)) {
      const text = Buffer.from(recorded.message.body as Uint8Array).toString('utf8')
      // A number without a fraction is an integer here, always.
      const expected =
        recorded.call === 'argsrepr_types' ? text.replace('1.0', '1') : text.replaceAll(/, "chord_size": null/g, '')
      expect(withFloats(String(written))).toEqual(withFloats(expected))
    }
  })

  test.each(named(readable.filter(({ headers }) => 'task' in headers)))(
    '%s, sent by us, says the same',
    (_, recorded) => {
      const { headers, body } = decoded(recorded)
      const sent = encodeTaskMessage(callOf(headers, body, recorded.message.properties))
      const address = { exchange: '', routingKey: 'celery', deliveryTag: 'tag', bodyEncoding: 'base64' } as const
      const encoded = serializers.encode(sent.body)
      const payload = encodeEnvelope({ ...encoded, headers: sent.headers, properties: sent.properties }, address)
      const again = receive(payload)
      const { lang: _lang, compression: _compression, ...theirs } = recorded.headers
      expect(timesIn(again.headers)).toMatchObject(timesIn(theirs))
      expect(again.headers.lang).toBe('js')
      expect(again.body).toEqual(body)
    },
  )
})

test('arguments are shown as Python shows them, but for what would break a line', () => {
  for (const { headers } of readMessages('redis-5.6').filter(({ call }) => call === 'argsrepr_types')) {
    const { call } = GOLDEN_CALLS.get('argsrepr_types')!
    const ours = encodeTaskMessage({ ...call, id: 'i', origin: 'o' }).headers
    // Tuples are lists here, and 1.0 is 1.
    const theirs = String(headers['argsrepr'])
    expect(ours.argsrepr).toBe(
      theirs.replace('1.0', '1').replace('\n', '\\n').replace('(...,)', '[...]').replace(', ())', ', [])'),
    )
    expect(ours.kwargsrepr).toBe(headers['kwargsrepr'])
  }
})

test('result tuples of the client are read', () => {
  const tuples = VERSIONS.flatMap((version) => readFolder<TaskCase>(`tasks/redis-${version}`))
    .map(([, { result_as_tuple }]) => result_as_tuple)
    .filter((tuple) => tuple !== undefined && tuple !== null)
  expect(tuples.length).toBeGreaterThan(150)
  for (const tuple of tuples) expect(decodeResultTuple(tuple).id).toMatch(/^[0-9a-f-]{36}$/)
})

type Fields = Readonly<Record<string, unknown>>

function neverAsked(): never {
  throw new Error('nobody should ask for the body')
}

const NO_EMBED = { callbacks: null, errbacks: null, chain: null, chord: null }

/** What either protocol has in its body beside headers. */
function partsOf({ body, call }: Recorded): Fields {
  // What recorded them did not read pickles.
  const pickled = GOLDEN_CALLS.get(call)?.call
  if (call === 'serializer_pickle' && pickled !== undefined)
    return { args: pickled.args, kwargs: pickled.kwargs, ...NO_EMBED }
  if (Array.isArray(body)) return { args: body[0], kwargs: body[1], ...(body[2] as Fields) }
  const { args, kwargs, callbacks, errbacks, chord } = body as Fields
  return { args, kwargs, callbacks, errbacks, chord }
}

function headersOfBody(body: unknown): Fields {
  const {
    args: _a,
    kwargs: _k,
    callbacks: _c,
    errbacks: _e,
    chord: _h,
    utc: _u,
    taskset: _t,
    ...headers
  } = body as Fields
  return headers
}

/** The call with what differs from one run to the next: ids and times. */
function callIn(recorded: Recorded, { call, protocol, relative }: GoldenCall): TaskCall {
  const { id, eta, expires } = (protocol === 1 ? recorded.body : recorded.headers) as Fields
  const { reply_to, expiration } = recorded.properties
  const expiresMs = relative === 'expires' ? exactMs(String(expires)) : call.expiresMs
  return {
    replyTo: String(reply_to),
    ...call,
    id: String(id),
    origin: 'gen1@host',
    ...(relative === 'eta' ? { etaMs: exactMs(String(eta)) } : {}),
    ...(expiresMs === undefined ? {} : { expiresMs, nowMs: expiresMs - Number(expiration ?? 0) }),
  }
}

/** Properties without the address and what Python lets leak into them; a missing priority is 0. */
function comparable(properties: Fields, { argsrepr, kwargsrepr, shadow }: TaskCall): Fields {
  const { delivery_tag: _t, delivery_info: _i, body_encoding: _e, ...own } = properties
  const leaked: Fields = { argsrepr, kwargsrepr, shadow }
  const meant = Object.entries(own).filter(([name, value]) => !(name in leaked) || leaked[name] !== value)
  return { priority: 0, ...Object.fromEntries(meant) }
}

/** Headers with times as milliseconds since 1970, exact to the microsecond. */
function timesIn(headers: Fields, eastOfUtc: number = 0): Fields {
  const { eta, expires } = headers
  return { ...headers, eta: asMs(eta, eastOfUtc), expires: asMs(expires, eastOfUtc) }
}

function asMs(time: unknown, eastOfUtc: number): unknown {
  return typeof time === 'string' ? exactMs(time, eastOfUtc) : time
}

function exactMs(time: string, eastOfUtc: number = 0): number {
  const micros = /\.\d{3}(\d{3})/.exec(time)?.[1] ?? '0'
  return parseIsoTime(time, (localMs) => localMs - eastOfUtc * 3_600_000)! + Number(micros) / 1000
}

/** JSON with floats told from integers. */
function withFloats(text: string): unknown {
  const token = /"(?:\\.|[^"\\])*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g
  return JSON.parse(text.replace(token, (each) => (/^[-\d]\d*[.eE]/.test(each) ? `{"float": ${each}}` : each)))
}

/** Only 4.3 says of every signature that it is no chord's. */
function withoutChordSize(body: unknown): Fields {
  const text = JSON.stringify(body)
  return JSON.parse(text, (key, value: unknown) =>
    key === 'chord_size' && value === null ? undefined : value,
  ) as Fields
}

/** The call that makes this message. */
function callOf(headers: TaskHeaders, body: TaskBody, properties: MessageProperties): TaskCall {
  const [timeLimit, softTimeLimit] = headers.timelimit
  const ours = encodeTaskMessage({ task: 't', id: 'i', origin: 'o', args: [], kwargs: {} }).headers
  const custom = Object.entries(headers).filter(([name]) => !(name in ours) && name !== 'compression')
  return {
    task: headers.task,
    id: headers.id,
    origin: headers.origin,
    args: body.args,
    kwargs: body.kwargs,
    ...body.embed,
    rootId: headers.root_id,
    parentId: headers.parent_id,
    groupId: headers.group,
    groupIndex: headers.group_index,
    ...(headers.eta === null ? {} : { etaMs: exactMs(headers.eta) }),
    ...(headers.expires === null ? {} : { expiresMs: exactMs(headers.expires) }),
    retries: headers.retries,
    timeLimit,
    softTimeLimit,
    ignoreResult: headers.ignore_result === true,
    replacedTaskNesting: headers.replaced_task_nesting,
    shadow: headers.shadow,
    argsrepr: headers.argsrepr,
    kwargsrepr: headers.kwargsrepr,
    stampedHeaders: headers.stamped_headers,
    stamps: headers.stamps,
    replyTo: properties.reply_to ?? '',
    priority: properties.priority ?? 0,
    headers: Object.fromEntries(custom),
  }
}

/** Signatures without what reading fills in or leaves out: null options, and lists of one. */
function withoutDefaults(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDefaults)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([, item]) => item !== null)
  return Object.fromEntries(entries.map(([key, item]) => [key, withoutDefaults(item)]))
}
