import { CompressionRegistry, SerializerRegistry } from '@celery/serialization'
import { describe, expect, test } from 'vitest'
import {
  decodeEnvelope,
  decodeResultTuple,
  decodeTaskBody,
  decodeTaskHeaders,
  encodeEnvelope,
  encodeTaskMessage,
  InvalidEnvelopeError,
  InvalidTaskMessageError,
  type TaskBody,
  type TaskCall,
  type TaskHeaders,
  type WireMessage,
} from '../src/index.ts'
import {
  type DecodedMessage,
  readFolder,
  readGolden,
  type TaskCase,
  type ToleranceFile,
  VERSIONS,
} from './read-golden.ts'

const serializers = new SerializerRegistry()
const compressions = new CompressionRegistry()

interface Received {
  readonly message: WireMessage
  readonly headers: TaskHeaders
  readonly body: TaskBody
}

/** What a worker does with a payload. */
function receive(payload: string): Received {
  const message = decodeEnvelope(payload)
  const headers = decodeTaskHeaders(message.headers)
  const packed = headers.compression
  const body = packed === undefined ? message.body : compressions.decompress(message.body, packed)
  return {
    message,
    headers,
    body: decodeTaskBody(serializers.decode(body, message.contentType, message.contentEncoding)),
  }
}

/** Whether a message is of protocol 2, in JSON, and in a compression that Node has built in. */
function isOurs(message: DecodedMessage): boolean {
  const { compression } = message.headers
  return (
    'task' in message.headers &&
    message['content-type'] === 'application/json' &&
    (compression === undefined || compression === 'application/x-gzip' || compression === 'application/x-brotli')
  )
}

function messagesOf(folder: string): [name: string, raw: string, decoded: DecodedMessage][] {
  return readFolder<TaskCase>(`tasks/${folder}`).flatMap(([name, { messages = [] }]) =>
    messages
      .filter(({ decoded }) => isOurs(decoded))
      .map(({ raw, decoded }, index): [string, string, DecodedMessage] => [`${name} ${index}`, raw, decoded]),
  )
}

describe.each(VERSIONS)('a message of Celery %s', (version) => {
  const messages = [...messagesOf(`redis-${version}`), ...messagesOf(`worker-sent-redis-${version}`)]

  test('there are as many as were recorded', () => {
    expect(messages.length).toBe({ '4.3': 69, '5.2': 72, '5.6': 76 }[version])
  })

  test.each(messages)('%s is decoded', (_, raw, golden) => {
    const { message, headers, body } = receive(raw)
    expect(headers).toMatchObject(golden.headers)
    expect(message.properties).toMatchObject(golden.properties)
    const [args, kwargs, embed] = golden.body as [unknown, unknown, object]
    expect(body).toMatchObject({ args, kwargs })
    expect(withoutDefaults(body.embed)).toEqual(withoutDefaults(embed))
  })

  test.each(messages)('%s, sent by us, says the same', (_, raw, golden) => {
    const { message, headers, body } = receive(raw)
    const sent = encodeTaskMessage(callOf(headers, body, message))
    const address = { exchange: '', routingKey: 'celery', deliveryTag: 'tag', bodyEncoding: 'base64' } as const
    const encoded = serializers.encode(sent.body)
    const payload = encodeEnvelope({ ...encoded, headers: sent.headers, properties: sent.properties }, address)
    const again = receive(payload)
    const { lang: _lang, compression: _compression, ...theirs } = golden.headers
    expect(again.headers).toMatchObject({ ...theirs, ...timesOf(headers) })
    expect(again.headers.lang).toBe('js')
    expect(again.body).toEqual(body)
  })
})

describe('a call, sent by Python and by us', () => {
  const add = { task: 'wapp.add', args: [2, 3], kwargs: {} }
  const signature = { kwargs: {}, options: {}, subtask_type: null, immutable: false }
  const calls: readonly [name: string, call: Omit<TaskCall, 'id' | 'origin'>][] = [
    ['basic', add],
    [
      'kwargs',
      {
        task: 'wapp.noop',
        args: [1, 'two', null, 3.5, true, [1], 'ünï'],
        kwargs: { k: { a: [1, 2] }, b: false },
      },
    ],
    ['noargs', { task: 'wapp.noop', args: [], kwargs: {} }],
    ['argsrepr', { ...add, argsrepr: '(<2>, <3>)', kwargsrepr: '{secret}' }],
    ['custom_headers', { ...add, headers: { 'x-trace': 'abc', n: 5 } }],
    ['delivery_mode_transient', { ...add, persistent: false }],
    ['expires_datetime', { ...add, expiresMs: Date.UTC(2031, 0, 2, 3, 4, 5) }],
    ['ignore_result_call', { ...add, args: [1, 2], ignoreResult: true }],
    ['priority', { ...add, priority: 7 }],
    ['queue', add],
    // Python shows the list it was given, where it otherwise makes a tuple of it.
    ['send_task', { task: 'unknown.task', args: [1], kwargs: { a: 2 }, argsrepr: '[1]' }],
    ['shadow', { ...add, shadow: 'pretty.name' }],
    ['time_limits', { ...add, timeLimit: 60, softTimeLimit: 50.5 }],
    [
      'link_list_error',
      {
        ...add,
        callbacks: [
          { ...signature, task: 'wapp.mul', args: [10] },
          { ...signature, task: 'wapp.cb', args: [1], immutable: true },
        ],
        errbacks: [{ ...signature, task: 'wapp.on_err', args: [] }],
      },
    ],
    ['link', { ...add, callbacks: [{ ...signature, task: 'wapp.mul', args: [10] }] }],
  ]

  test.each(calls)('%s is the same message', (name, call) => {
    const golden = readGolden<TaskCase>(`tasks/redis-5.6/${name}.json`).messages![0]!.decoded
    const { id } = golden.headers
    const sent = encodeTaskMessage({ ...call, id: String(id), origin: 'gen1@host' })
    const { lang: _l, origin: _o, ...theirs } = golden.headers
    const { lang, origin, ...ours } = sent.headers
    expect({ lang, origin }).toEqual({ lang: 'js', origin: 'gen1@host' })
    expect(ours).toEqual(theirs)
    expect(sent.body).toEqual(golden.body)
    expect({ ...sent.properties, expiration: null }).toEqual({ ...propertiesWithoutAddress(golden), expiration: null })
  })

  test('arguments are shown alike, but for what would break a line', () => {
    const golden = readGolden<TaskCase>('tasks/redis-5.6/argsrepr_types.json').messages![0]!.decoded
    const args = [null, true, 1, 1e100, "it's", 'a\nb', 'é', { b: [1, [2]], a: {} }, [[[[[1]]]]], []]
    const { argsrepr, kwargsrepr } = encodeTaskMessage({
      task: 't',
      id: 'i',
      origin: 'o',
      args,
      kwargs: { k: null },
    }).headers
    // Tuples are lists here, and 1.0 is 1.
    const theirs = String(golden.headers['argsrepr'])
    expect(argsrepr).toBe(
      theirs.replace('1.0', '1').replace('\n', '\\n').replace('(...,)', '[...]').replace(', ())', ', [])'),
    )
    expect(kwargsrepr).toBe(golden.headers['kwargsrepr'])
  })
})

describe.each(VERSIONS)('what a worker of Celery %s was tried with', (version) => {
  const { cases } = readGolden<ToleranceFile>(`tasks/tolerance-${version}.json`)
  /** What Python runs and we do not: protocol 1 and its mixture with 2. */
  const otherProtocol = new Set(['v1_minimal', 'headers_null', 'kwargs_body_object_with_headers'])
  /** What Python runs into the ground, or loses, and we run. */
  const repaired = new Set(['link_without_options', 'typed_unknown', 'unknown_task'])

  test.each(cases.map((one) => [one.case, one] as const))(
    '%s gives a task, or one error',
    (name, { message, outcome }) => {
      const payload = typeof message === 'string' ? message : JSON.stringify(message)
      const runs = (outcome !== 'no result' && !otherProtocol.has(name)) || repaired.has(name)
      if (runs) {
        const { headers, body } = receive(payload)
        expect(headers.task).toMatch(/^wapp\.|^nope/)
        expect(body.args).toBeInstanceOf(Array)
      } else {
        expect(() => receive(payload)).toThrow(ERRORS.get(name))
      }
    },
  )

  const disallowed = expect.objectContaining({ code: 'ERR_CELERY_CONTENT_DISALLOWED' }) as Error
  const ERRORS: ReadonlyMap<string, Error | (new (...args: never[]) => Error)> = new Map<
    string,
    Error | (new (...args: never[]) => Error)
  >([
    ['body_two_elements', InvalidTaskMessageError],
    ['no_id', InvalidTaskMessageError],
    ['kwargs_body_object_with_headers', InvalidTaskMessageError],
    ['v1_minimal', InvalidTaskMessageError],
    ['headers_null', InvalidTaskMessageError],
    ['eta_number', InvalidTaskMessageError],
    ['content_type_charset', disallowed],
    ['content_type_yaml_disallowed', disallowed],
    ['broken_json_body', expect.objectContaining({ code: 'ERR_CELERY_DECODE' }) as Error],
    ['content_type_missing', InvalidEnvelopeError],
    ['delivery_info_empty', InvalidEnvelopeError],
    ['no_delivery_info', InvalidEnvelopeError],
    ['no_properties', InvalidEnvelopeError],
    ['no_delivery_tag', InvalidEnvelopeError],
    ['not_json_at_all', InvalidEnvelopeError],
  ])
})

test('result tuples of the client are read', () => {
  const tuples = VERSIONS.flatMap((version) => readFolder<TaskCase>(`tasks/redis-${version}`))
    .map(([, { result_as_tuple }]) => result_as_tuple)
    .filter((tuple) => tuple !== undefined && tuple !== null)
  expect(tuples.length).toBeGreaterThan(150)
  for (const tuple of tuples) expect(decodeResultTuple(tuple).id).toMatch(/^[0-9a-f-]{36}$/)
})

/** The call that makes this message. */
function callOf(headers: TaskHeaders, body: TaskBody, { properties }: WireMessage): TaskCall {
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
    ...(headers.eta === null ? {} : { etaMs: Date.parse(utc(headers.eta)) }),
    ...(headers.expires === null ? {} : { expiresMs: Date.parse(utc(headers.expires)) }),
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

/** Times as we write them: in UTC, and to the millisecond. */
function timesOf({ eta, expires }: TaskHeaders): Pick<TaskHeaders, 'eta' | 'expires'> {
  return { eta: eta === null ? null : asWeWrite(eta), expires: expires === null ? null : asWeWrite(expires) }
}

function asWeWrite(time: string): string {
  return new Date(utc(time)).toISOString().replace('Z', '000+00:00').replace('.000000', '')
}

function utc(time: string): string {
  return /Z|[+-]\d\d:\d\d$/.test(time) ? time : `${time}Z`
}

function propertiesWithoutAddress(golden: DecodedMessage): object {
  const { delivery_tag, delivery_info, body_encoding, reply_to, argsrepr, kwargsrepr, ...own } = golden.properties
  expect([typeof delivery_tag, typeof delivery_info, body_encoding, typeof reply_to]).toEqual([
    'string',
    'object',
    'base64',
    'string',
  ])
  // Python lets these two leak into the properties.
  expect(typeof argsrepr).toBe(typeof kwargsrepr)
  return { ...own, reply_to: '' }
}

/** Signatures without what reading fills in or leaves out: null options, and lists of one. */
function withoutDefaults(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDefaults)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([, item]) => item !== null)
  return Object.fromEntries(entries.map(([key, item]) => [key, withoutDefaults(item)]))
}
