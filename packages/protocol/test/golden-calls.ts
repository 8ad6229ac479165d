import type { TaskCall } from '../src/index.ts'

/** A call of the golden files, in Python's words and in ours. */
export interface GoldenCall {
  /** As the file has it. */
  readonly says: string
  readonly protocol: 1 | 2
  readonly call: Omit<TaskCall, 'id' | 'origin'>
  /** The `eta` or `expires` of the message is some seconds after it was sent, whenever that was. */
  readonly relative?: 'eta' | 'expires'
  /** Python shows the arguments in other words than we do. */
  readonly isShownOtherwise?: true
  /** The zone of a time without offset, where it is not UTC: hours east. */
  readonly eastOfUtc?: number
}

const add = { task: 'wapp.add', args: [2, 3], kwargs: {} }
const noop = { task: 'wapp.noop', kwargs: {} }
const signature = { kwargs: {}, options: {}, subtask_type: null, immutable: false }
const manyAs = { ...noop, args: ['a'.repeat(200)] }
const values = { task: 'wapp.noop', args: [1, 'é', null, 2.5, true, [1, { a: 'b' }]], kwargs: { k: 'v' } }

/** Every call in `golden/tasks` that is a single task, by the name of its file. */
export const GOLDEN_CALLS: ReadonlyMap<string, GoldenCall> = new Map([
  ...entry('basic', 'add.apply_async((2, 3), task_id=ID)', add),
  ...entry('noargs', 'noop.apply_async(task_id=ID)', { ...noop, args: [] }),
  ...entry(
    'kwargs',
    "noop.apply_async((1, 'two', None, 3.5, True, [1], 'ünï'), {'k': {'a': [1, 2]}, 'b': False}, task_id=ID)",
    { ...noop, args: [1, 'two', null, 3.5, true, [1], 'ünï'], kwargs: { k: { a: [1, 2] }, b: false } },
  ),
  ...entry('argsrepr', "add.apply_async((2, 3), argsrepr='(<2>, <3>)', kwargsrepr='{secret}')", {
    ...add,
    argsrepr: '(<2>, <3>)',
    kwargsrepr: '{secret}',
  }),
  ...entry(
    'argsrepr_long',
    "noop.apply_async(('x' * 3000, list(range(2000))), {'k': 'y' * 3000})   [repr truncation]",
    { ...noop, args: ['x'.repeat(3000), [...Array(2000).keys()]], kwargs: { k: 'y'.repeat(3000) } },
    { isShownOtherwise: true },
  ),
  ...entry(
    'argsrepr_types',
    "noop.apply_async((None, True, 1.0, 1e100, 'it\\'s', \"a\\nb\", 'é', {'b': [1, (2,)], 'a': {}}, [[[[[1]]]]], ()), {'k': None})",
    {
      ...noop,
      args: [null, true, 1, 1e100, "it's", 'a\nb', 'é', { b: [1, [2]], a: {} }, [[[[[1]]]]], []],
      kwargs: { k: null },
    },
    { isShownOtherwise: true },
  ),
  ...['zlib', 'gzip', 'bzip2', 'bzip', 'lzma', 'xz', 'brotli', 'zstd', 'zstandard'].flatMap((compression) =>
    entry(`compression_${compression}`, `noop.apply_async(('a' * 200,), compression='${compression}')`, manyAs),
  ),
  ...['json', 'yaml', 'msgpack', 'pickle'].flatMap((serializer) =>
    entry(
      `serializer_${serializer}`,
      `noop.apply_async((1, 'é', None, 2.5, True, [1, {'a': 'b'}]), {'k': 'v'}, serializer='${serializer}')`,
      values,
    ),
  ),
  ...entry('countdown', 'add.apply_async((2, 3), countdown=60)', add, { relative: 'eta' }),
  ...entry('expires_seconds', 'add.apply_async((2, 3), expires=120)', add, { relative: 'expires' }),
  ...entry('eta', 'add.apply_async((2, 3), eta=datetime(2030,1,2,3,4,5,678900,tzinfo=utc))', {
    ...add,
    etaMs: Date.UTC(2030, 0, 2, 3, 4, 5) + 678.9,
  }),
  ...entry('eta_naive', 'add.apply_async((2, 3), eta=datetime(2030,1,2,3,4,5)) [naive]', {
    ...add,
    etaMs: Date.UTC(2030, 0, 2, 3, 4, 5),
  }),
  ...entry(
    'utc_disabled_eta',
    "add.apply_async((2, 3), eta=datetime(2030,1,2,3,4,5))   [enable_utc=False, timezone='Europe/Paris']",
    { ...add, etaMs: Date.UTC(2030, 0, 2, 2, 4, 5) },
    { eastOfUtc: 1 },
  ),
  ...entry('expires_datetime', 'add.apply_async((2, 3), expires=datetime(2031,1,2,3,4,5,tzinfo=utc))', {
    ...add,
    expiresMs: Date.UTC(2031, 0, 2, 3, 4, 5),
  }),
  ...entry('time_limits', 'add.apply_async((2, 3), time_limit=60, soft_time_limit=50.5)', {
    ...add,
    timeLimit: 60,
    softTimeLimit: 50.5,
  }),
  ...entry('custom_headers', "add.apply_async((2, 3), headers={'x-trace': 'abc', 'n': 5})", {
    ...add,
    headers: { 'x-trace': 'abc', n: 5 },
  }),
  ...entry('delivery_mode_transient', 'add.apply_async((2, 3), delivery_mode=1)', { ...add, persistent: false }),
  ...entry(
    'exchange_routing_key',
    "add.apply_async((2, 3), exchange='celery', routing_key='celery', exchange_type='direct')",
    add,
  ),
  ...entry('group_explicit', "add.apply_async((2, 3), group_id='g-1', root_id='r-1', parent_id='p-1')", {
    ...add,
    groupId: 'g-1',
    rootId: 'r-1',
    parentId: 'p-1',
  }),
  ...entry('ignore_result_call', 'add.apply_async((1, 2), ignore_result=True)', {
    ...add,
    args: [1, 2],
    ignoreResult: true,
  }),
  ...entry('ignore_result_task', 'ignored.apply_async((1,))', {
    task: 'wapp.ignored',
    args: [1],
    kwargs: {},
    ignoreResult: true,
  }),
  ...entry('priority', 'add.apply_async((2, 3), priority=7)', { ...add, priority: 7 }),
  ...entry('priority_low', 'add.apply_async((2, 3), priority=2)', { ...add, priority: 2 }),
  ...entry('queue', "add.apply_async((2, 3), queue='hipri')", add),
  // Python does not care for the `correlation_id`.
  ...entry('reply_to', "add.apply_async((2, 3), reply_to='my-reply', correlation_id='corr-1')", {
    ...add,
    replyTo: 'my-reply',
  }),
  // Python shows the list it was given, where it otherwise makes a tuple of it.
  ...entry('send_task', "app.send_task('unknown.task', args=[1], kwargs={'a': 2})", {
    task: 'unknown.task',
    args: [1],
    kwargs: { a: 2 },
    argsrepr: '[1]',
  }),
  ...entry('shadow', "add.apply_async((2, 3), shadow='pretty.name')", { ...add, shadow: 'pretty.name' }),
  ...entry('link', 'add.apply_async((2, 3), link=mul.s(10))', {
    ...add,
    callbacks: [{ ...signature, task: 'wapp.mul', args: [10] }],
  }),
  ...entry('link_list_error', 'add.apply_async((2, 3), link=[mul.s(10), cb.si(1)], link_error=on_err.s())', {
    ...add,
    callbacks: [
      { ...signature, task: 'wapp.mul', args: [10] },
      { ...signature, task: 'wapp.cb', args: [1], immutable: true },
    ],
    errbacks: [{ ...signature, task: 'wapp.on_err', args: [] }],
  }),
  ...entry('stamped_kw', "s=add.si(1,2); s.stamp(stamp='val', l=[1,2]); s.apply_async()", {
    ...add,
    args: [1, 2],
    stampedHeaders: ['stamp', 'l'],
    stamps: { stamp: 'val', l: [1, 2] },
  }),
  ...entry(
    'stamped_visitor',
    "s=add.si(1,2); s.stamp(visitor={'monitoring_id':'m-1','stamped_headers':['monitoring_id']}); s.apply_async()",
    { ...add, args: [1, 2], stampedHeaders: ['monitoring_id'], stamps: { monitoring_id: 'm-1' } },
  ),
  ...entry('v1_basic', 'add.apply_async((2, 3))   [task_protocol=1]', add, { protocol: 1 }),
  ...entry(
    'v1_eta_expires_limits',
    'add.apply_async((2, 3), {}, eta=, expires=, time_limit=, soft_time_limit=)   [task_protocol=1]',
    {
      ...add,
      etaMs: Date.UTC(2030, 0, 2, 3, 4, 5) + 678.9,
      expiresMs: Date.UTC(2031, 0, 2, 3, 4, 5),
      timeLimit: 9,
      softTimeLimit: 8,
    },
    { protocol: 1 },
  ),
  ...entry(
    'v1_link',
    'add.apply_async((2, 3), link=mul.s(10), link_error=on_err.s())   [task_protocol=1]',
    {
      ...add,
      callbacks: [{ ...signature, task: 'wapp.mul', args: [10] }],
      errbacks: [{ ...signature, task: 'wapp.on_err', args: [] }],
    },
    { protocol: 1 },
  ),
])

/** The other files: calls of more than one task. */
export const CANVAS: ReadonlySet<string> = new Set([
  'chain3',
  'chain_link_error',
  'chord',
  'chord_chain_header',
  'chord_in_chain',
  'chord_link_error',
  'chord_single_header',
  'chord_unlock',
  'chunks',
  'group',
  'group_in_chain',
  'group_in_chain_upgrade',
  'map',
  'xmap',
  'serializer_chain_json',
  'serializer_chain_msgpack',
  'serializer_chain_pickle',
  'serializer_chain_yaml',
  'stamped_chain_chord',
  'stamped_links',
  'v1_chain',
  'v1_chord',
])

function entry(
  name: string,
  says: string,
  call: GoldenCall['call'],
  more: Partial<GoldenCall> = {},
): [string, GoldenCall][] {
  return [[name, { says, call, protocol: 2, ...more }]]
}
