import { isCount, isName, isRecord, isTimeLimit, MAX_TIME_LIMIT } from './guards.ts'
import { parseIsoTime } from './iso-time.ts'

/** What an option of a call must be, for those who read signatures and for those who send calls. */
export interface OptionRule {
  /** In words, after "must be". */
  readonly expected: string
  /** Whether null says something else than absence does. */
  readonly nullable: boolean
  test(value: unknown): boolean
}

const name: OptionRule = { expected: '1 to 255 printable characters', nullable: false, test: isName }
const text: OptionRule = { expected: 'text', nullable: false, test: (value) => typeof value === 'string' }
const count: OptionRule = { expected: 'an integer from 0 to 2147483647', nullable: false, test: isCount }
const limit: OptionRule = { expected: `seconds from 0 to ${MAX_TIME_LIMIT}`, nullable: false, test: isTimeLimit }

/** By the wire spelling of the option. Links and chords are signatures themselves; what is not here may be anything. */
export const OPTION_RULES: ReadonlyMap<string, OptionRule> = new Map([
  ['task_id', name],
  ['reply_to', text],
  ['root_id', { ...name, nullable: true }],
  ['parent_id', { ...name, nullable: true }],
  ['group_id', { ...name, nullable: true }],
  ['group_index', { ...count, nullable: true }],
  ['queue', name],
  ['exchange', text],
  ['routing_key', text],
  ['priority', { expected: 'an integer', nullable: false, test: Number.isInteger }],
  ['countdown', { expected: 'a finite number of seconds', nullable: false, test: Number.isFinite }],
  ['eta', { expected: 'a Date or an ISO 8601 time', nullable: false, test: isTime }],
  [
    'expires',
    {
      expected: 'a finite number of seconds, a Date or an ISO 8601 time',
      nullable: false,
      test: (value) => Number.isFinite(value) || isTime(value),
    },
  ],
  ['retries', count],
  ['serializer', text],
  ['shadow', text],
  ['argsrepr', text],
  ['kwargsrepr', text],
  ['time_limit', limit],
  ['soft_time_limit', limit],
  ['ignore_result', { expected: 'true or false', nullable: false, test: (value) => typeof value === 'boolean' }],
  ['headers', { expected: 'an object', nullable: false, test: isRecord }],
])

function isTime(value: unknown): boolean {
  return typeof value === 'string' && parseIsoTime(value) !== undefined
}
