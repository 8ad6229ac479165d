import type { PublishRetryPolicy } from '@celery/messaging'
import { camelCase } from './name-spelling.ts'
import { defaultSettings, type Settings } from './settings.ts'

/**
 * How often and when sending is tried again. Where `taskPublishRetryPolicy` says nothing, `brokerTransportOptions` may: that is
 * where programs of kombu have it, whose producers connect anew by `max_retries`, `interval_start` and so on.
 */
export function publishPolicy(
  settings: Readonly<Pick<Settings, 'brokerTransportOptions' | 'taskPublishRetryPolicy'>>,
): PublishRetryPolicy {
  const { brokerTransportOptions, taskPublishRetryPolicy: policy } = settings
  if (policy !== defaultSettings.taskPublishRetryPolicy) return policy
  const own = Object.entries(brokerTransportOptions)
    .map(([name, value]) => [camelCase(name), value] as const)
    .filter(([name, value]) => isPolicyName(name) && value !== undefined)
  return own.length === 0 ? policy : { ...policy, ...Object.fromEntries(own) }
}

type PolicyName = Exclude<keyof PublishRetryPolicy, 'retryErrors'>

const policyTable: Readonly<Record<PolicyName, true>> = {
  maxRetries: true,
  intervalStart: true,
  intervalStep: true,
  intervalMax: true,
}

export const policyNames: readonly string[] = Object.keys(policyTable)

/** In camelCase. */
export function isPolicyName(name: string): boolean {
  return Object.hasOwn(policyTable, name)
}

/** Whether it may be said of the part of that name: seconds or how often, and `null` for ever. */
export function isPolicyValue(name: string, value: unknown): boolean {
  return (typeof value === 'number' && value >= 0) || (value === null && name === 'maxRetries')
}
