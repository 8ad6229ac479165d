import type { PlannedCall } from '@celery/canvas'
import type { Connection, Exchange, Producer, PublishOptions, PublishRetryPolicy, Queue } from '@celery/messaging'
import { TaskOptionError } from './call-errors.ts'
import { camelCase } from './name-spelling.ts'
import { isPolicyName, isPolicyValue, policyNames, publishPolicy } from './publish-policy.ts'
import { matches } from './retry-policy.ts'
import type { Settings } from './settings.ts'
import type { ErrorMatch } from './task.ts'

/** How a call is sent, as far as it is no data: nothing of this travels, and signatures do not have it. */
export interface Delivery {
  /** Sends it, instead of the app's own. */
  readonly producer?: Producer | undefined
  /** Is sent over, instead of the app's own. The caller closes it. */
  readonly connection?: Connection | undefined
  /** Made before it is sent, if they are not there. @defaultValue the queue that it goes to */
  readonly declare?: readonly (Exchange | Queue)[] | undefined
  /** The queue that it goes to, in the place of one by name. */
  readonly queue?: Queue | undefined
  /** Errors after which sending is tried again, besides a lost connection and a busy broker. */
  readonly retryErrors?: readonly ErrorMatch[] | undefined
}

type Policy = Pick<Partial<PublishRetryPolicy>, 'maxRetries' | 'intervalStart' | 'intervalStep' | 'intervalMax'>

/**
 * How the producer is to send a call, or `undefined` where it is as the settings say.
 * @throws TaskOptionError
 */
export function publishOptions(
  { options, task }: PlannedCall,
  { retryErrors }: Delivery,
  declare: readonly (Exchange | Queue)[],
  settings: Readonly<Settings>,
): PublishOptions | undefined {
  const { confirm_timeout, retry, retry_policy, timeout } = options
  const timeoutMs = milliseconds(task, 'confirmTimeout', confirm_timeout) ?? milliseconds(task, 'timeout', timeout)
  const asUsual = retry === undefined && retry_policy === undefined && retryErrors === undefined
  if (asUsual && timeoutMs === undefined) return declare.length === 0 ? undefined : { declare }
  if (asUsual) return { timeoutMs, declare }
  const isRetried = retry ?? settings.taskPublishRetry
  const policy = isRetried
    ? {
        ...publishPolicy(settings),
        ...policyOf(task, retry_policy),
        ...(retryErrors === undefined ? undefined : { retryErrors: (error: unknown) => matches(retryErrors, error) }),
      }
    : null
  return { timeoutMs, retryPolicy: policy, declare }
}

/** What only JavaScript lets pass. A `MessageProducer` would send the message as the body of another. @throws TaskOptionError */
export function assertSender(task: string, { connection, producer }: Delivery): void {
  if (producer !== undefined && typeof producer?.idle !== 'function') {
    throw TaskOptionError.expected(task, 'producer', 'a Producer of @celery/messaging', producer)
  }
  if (connection !== undefined && typeof connection?.untilBroker !== 'function') {
    throw TaskOptionError.expected(task, 'connection', 'a Connection of @celery/messaging', connection)
  }
}

/** Seconds of an option in milliseconds. @throws TaskOptionError */
export function milliseconds(task: string, option: string, seconds: unknown): number | undefined {
  if (seconds === undefined || seconds === null) return undefined
  if (typeof seconds === 'number' && seconds >= 0 && seconds < longest) return seconds * 1_000
  throw TaskOptionError.expected(task, option, `seconds from 0 to ${longest}`, seconds)
}

/** What a timer can wait, in seconds. */
const longest = 2_147_483

/** A signature that was made elsewhere has the names of Python. */
function policyOf(task: string, given: unknown): Policy | undefined {
  if (given === undefined || given === null) return undefined
  if (typeof given !== 'object') throw TaskOptionError.expected(task, 'retryPolicy', 'an object', given)
  const policy: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue
    const option = camelCase(name)
    if (!isPolicyName(option) || !isPolicyValue(option, value)) {
      const expected = `an object of ${policyNames.join(', ')}, in seconds`
      throw TaskOptionError.expected(task, 'retryPolicy', expected, given)
    }
    policy[option] = value
  }
  return policy
}
