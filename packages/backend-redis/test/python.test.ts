import type { ResultWrite } from '@celery/backend'
import { deferred } from '@celery/promises'
import { decodeResultRecord, encodeResultRecord, type ResultRecord } from '@celery/protocol'
import { GuardedProcess, isMissing, type RedisServer, SYSTEM_PYTHON, startRedis } from '@celery/test-servers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { redis } from '../src/index.ts'

/** Takes the steps that it is given, and prints a line of JSON for each. */
const PROGRAM = `
import json, sys
from celery import Celery
from celery.app.task import Context

url, options, steps = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
app = Celery('wapp', broker=url, backend=url)
app.conf.update(accept_content=['json', 'yaml', 'msgpack'], **options)

def say(*what):
    print(json.dumps(what), flush=True)

for name, *args in steps:
    if name == 'get':
        say(name, args[0], app.AsyncResult(args[0]).get(timeout=60, propagate=False))
    elif name == 'error':
        error = app.AsyncResult(args[0]).get(timeout=60, propagate=False)
        say(name, args[0], type(error).__name__, error.args)
    elif name == 'state':
        result = app.AsyncResult(args[0])
        say(name, args[0], result.state, result.info)
    elif name == 'wait':
        result = app.AsyncResult(args[0])
        app.backend.result_consumer.consume_from(args[0])
        say('waiting', args[0])
        say(name, args[0], result.get(timeout=60))
    elif name == 'store':
        app.backend.store_result(args[0], args[1], args[2])
        say(name, args[0])
    elif name == 'fail':
        app.backend.store_result(args[0], KeyError('boom', 3), 'FAILURE', traceback='Traceback ...')
        say(name, args[0])
    elif name == 'size':
        app.backend.set_chord_size(args[0], args[1])
        say(name, args[0])
    elif name == 'part':
        group, index, value = args
        body = app.signature('wapp.xsum', options={'task_id': 'body-of-' + group})
        request = Context(id='%s-member-number-%d' % (group, index), group=group, group_index=index, chord=body)
        app.backend.on_chord_part_return(request, 'SUCCESS', value)
        say(name, group, index)
    elif name == 'body':
        with app.connection_for_read() as connection:
            message = connection.SimpleQueue('celery').get(timeout=60)
            message.ack()
            say(name, message.headers['id'], message.decode()[0])
`

type Step = readonly [name: string, ...args: unknown[]]

describe.skipIf(isMissing('redis', 'python-celery'))('beside Python Celery', { timeout: 120_000 }, () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server.close())

  test.each(['json', 'yaml', 'msgpack'])('what Python stores in %s is read and stays', async (serializer) => {
    await using backend = await redis.open(server.url)
    const id = (name: string): string => `${serializer}-${name}`
    const told = deferred<string>()
    await using _watch = await backend.watch([id('good')], (taskId) => told.resolve(taskId))
    await using python = await startPython(server, { result_serializer: serializer }, [
      ['store', id('half'), { done: 1 }, 'PROGRESS'],
      ['fail', id('bad')],
      ['store', id('good'), 5, 'SUCCESS'],
    ])
    await python.says('store', id('good'))
    expect(await told.promise).toBe(id('good'))
    const writes = ['good', 'bad', 'half'].map((name) => ours(id(name), { status: 'STARTED', result: null }))
    await backend.store(writes)
    const found = await backend.fetch(writes.map(({ taskId }) => taskId))
    expect([...found.values()].map(({ state }) => state)).toEqual(['SUCCESS', 'FAILURE', 'PROGRESS'])
    if (serializer !== 'json') return
    expect(decodeResultRecord(String(found.get(id('good'))?.record))).toMatchObject({ status: 'SUCCESS', result: 5 })
    expect(decodeResultRecord(String(found.get(id('bad'))?.record))).toMatchObject({
      result: { exc_type: 'KeyError', exc_message: ['boom', 3] },
    })
  })

  test('Python reads what we store, and waits for it', async () => {
    await using backend = await redis.open(server.url)
    const error = { exc_type: 'ValueError', exc_message: ['no', 1], exc_module: 'builtins' }
    await backend.store([
      ours('stored', { status: 'SUCCESS', result: { a: ['é', null] } }),
      ours('failed', { status: 'FAILURE', result: error, traceback: 'Error: no' }),
      ours('underway', { status: 'PROGRESS', result: { done: 3 }, date_done: null }),
    ])
    await using python = await startPython(server, {}, [
      ['get', 'stored'],
      ['error', 'failed'],
      ['state', 'underway'],
      ['wait', 'later'],
      // What is final of ours, Python does not replace either.
      ['store', 'stored', 'theirs', 'SUCCESS'],
      ['get', 'stored'],
    ])
    await python.says('get', 'stored', { a: ['é', null] })
    await python.says('error', 'failed', 'ValueError', ['no', 1])
    await python.says('state', 'underway', 'PROGRESS', { done: 3 })
    await python.says('waiting', 'later')
    await backend.store([ours('later', { status: 'STARTED', result: null, date_done: null })])
    await backend.store([ours('later', { status: 'SUCCESS', result: 'at last' })])
    await python.says('wait', 'later', 'at last')
    await python.says('store', 'stored')
    await python.says('get', 'stored', { a: ['é', null] })
    expect(await server.send('TTL', 'celery-task-meta-later')).toBeGreaterThan(0)
  })

  test.each([true, false])('parts of one chord are counted together, in order: %s', async (ordered) => {
    const options = { result_backend_transport_options: { result_chord_ordered: ordered } }
    const transportOptions = ordered ? {} : { result_chord_ordered: false }
    await using backend = await redis.open(server.url, { transportOptions })
    const [mine, theirs] = [`ends-here-${ordered}`, `ends-there-${ordered}`]
    await using before = await startPython(server, options, [
      ['size', mine, 3],
      ['size', theirs, 2],
      ['part', mine, 2, 'c'],
      ['part', mine, 0, 'a'],
    ])
    await before.says('part', mine, 0)
    await backend.chords?.recordPart(part(theirs, 1, 'b'), { ttlMs: 86_400_000 })
    const completion = await backend.chords?.recordPart(part(mine, 1, 'b'), { ttlMs: 86_400_000 })
    const values = completion?.members.map((member) => (JSON.parse(String(member)) as unknown[])[3])
    expect(values).toEqual(ordered ? ['a', 'b', 'c'] : ['c', 'a', 'b'])
    await completion?.[Symbol.asyncDispose]()

    await using after = await startPython(server, options, [['part', theirs, 0, 'a'], ['body']])
    await after.says('body', `body-of-${theirs}`, [ordered ? ['a', 'b'] : ['b', 'a']])
    // Both are over: a part that comes again completes nothing.
    expect(await backend.chords?.recordPart(part(mine, 1, 'b'))).toBeUndefined()
    expect(await backend.chords?.recordPart(part(theirs, 1, 'b'))).toBeUndefined()
  })
})

interface Python extends AsyncDisposable {
  /** Resolves when it has printed the outcome of a step. */
  says(...outcome: readonly unknown[]): Promise<void>
}

async function startPython(
  server: RedisServer,
  options: Readonly<Record<string, unknown>>,
  steps: readonly Step[],
): Promise<Python> {
  const args = ['-c', PROGRAM, server.url, JSON.stringify(options), JSON.stringify(steps)]
  const python = await GuardedProcess.start(SYSTEM_PYTHON, args, { cwd: '/' })
  return {
    async says(...outcome) {
      await python.waitForOutput(new RegExp(`^${escapePattern(pythonJson(outcome))}$`, 'm'), { timeoutMs: 60_000 })
    },
    [Symbol.asyncDispose]: () => python.stop(),
  }
}

/** As Python's `json.dumps`, for what the steps print. */
function pythonJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(', ')}]`
  if (typeof value === 'object' && value !== null) {
    return `{${Object.entries(value)
      .map(([key, item]) => `${JSON.stringify(key)}: ${pythonJson(item)}`)
      .join(', ')}}`
  }
  return JSON.stringify(value).replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}

function part(groupId: string, index: number, value: string) {
  const taskId = `${groupId}-member-number-${index}`
  return { groupId, taskId, index, state: 'SUCCESS', member: `[1, "${taskId}", "SUCCESS", "${value}"]` }
}

function ours(taskId: string, record: Partial<ResultRecord> & Pick<ResultRecord, 'result' | 'status'>): ResultWrite {
  const full = {
    traceback: null,
    children: [],
    date_done: '2026-11-22T06:46:48.074150+00:00',
    task_id: taskId,
    ...record,
  }
  return { taskId, state: record.status, record: encodeResultRecord(full), ttlMs: 86_400_000 }
}
