import { closestName, quote } from '@celery/promises'
import { InvalidRedisAddressError } from '../errors.ts'
import { isRecord } from './option-reader.ts'

type Options = Readonly<Record<string, unknown>>

/**
 * Refuses a name that nobody knows, so that a slip does not leave a setting without effect. Brokers and stores are often
 * given the same options, so what one of them reads is known to all.
 * @param address - With the password masked.
 * @throws InvalidRedisAddressError with the closest name that is known
 */
export function checkOptionNames(address: string, options: Options): void {
  checkNames(address, options, knownOptions)
  for (const [name, known] of Object.entries(nestedOptions)) {
    const value = options[name] ?? options[camelCase(name)]
    if (isRecord(value)) checkNames(address, value, known, name)
  }
}

/** @param outer - The option that they stand in. */
function checkNames(address: string, options: Options, known: ReadonlySet<string>, outer?: string): void {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || known.has(snakeCase(name))) continue
    const closest = closestName(snakeCase(name), known)
    const hint = closest === undefined ? adviceFor(snakeCase(name)) : `did you mean ${quote(closest)}?`
    const where = outer === undefined ? '' : ` in ${quote(outer)}`
    const reason = `there is no option ${quote(name)}${where}: ${hint}`
    throw new InvalidRedisAddressError(address, reason, { option: outer ?? name })
  }
}

function adviceFor(name: string): string {
  if (appSettings.has(name)) return 'it is a setting of the app, not of the connection: move it to the settings'
  return 'take it out; the READMEs of @celery/redis, @celery/transport-redis and @celery/backend-redis list those there are'
}

/** Those of the app that are easily taken for options of the connection. */
const appSettings: ReadonlySet<string> = new Set(['lease_ms', 'result_expires', 'task_acks_late'])

/** `socketTimeout` means `socket_timeout`; some of kombu's names for SQS have hyphens. */
function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`).replaceAll('-', '_')
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

const tlsOptions = [
  'ssl_cert_reqs',
  'ssl_ca_certs',
  'ssl_certfile',
  'ssl_keyfile',
  'ssl_password',
  'ssl_check_hostname',
]

const connectionOptions = [
  'client_name',
  'cluster',
  'db',
  'global_keyprefix',
  'health_check_interval',
  'master_name',
  'min_other_sentinels',
  'password',
  'sentinel_kwargs',
  'sentinels',
  'socket_connect_timeout',
  'socket_keepalive_options',
  'socket_timeout',
  'ssl',
  'username',
  'virtual_host',
  ...tlsOptions,
]

const brokerOptions = [
  'fanout_patterns',
  'fanout_prefix',
  'polling_interval',
  'priority_steps',
  'queue_order_strategy',
  'sep',
  'takeover_grace',
  'unacked_index_key',
  'unacked_key',
  'unacked_mutex_expire',
  'unacked_mutex_key',
  'unacked_restore_interval',
  'unacked_restore_limit',
  'unacked_restore_throttle',
  'visibility_timeout',
]

/** How often and when something is tried again: those of a publication may stand among the options, as for kombu. */
const retryOptions = ['interval_max', 'interval_start', 'interval_step', 'max_retries', 'retry_errors']

const storeOptions = ['max_record_bytes', 'result_chord_ordered', 'retry_policy']

/** What programs have for redis-py, whose ways of connecting are other ones. They change nothing here. */
const ignoredOptions = [
  'ack_emulation',
  'decode_responses',
  'encoding',
  'encoding_errors',
  'lib_name',
  'lib_version',
  'max_connections',
  'protocol',
  'retry_on_error',
  'retry_on_timeout',
  'socket_keepalive',
  'socket_read_size',
  'socket_type',
  'timeout',
]

/** What programs have for another broker, which may be the one of another machine or the next of several. */
const foreignOptions = [
  'client_config',
  'client_properties',
  'confirm_publish',
  'confirm_timeout',
  'connect_timeout',
  'fetch_message_attributes',
  'heartbeat',
  'is_secure',
  'lock_timeout_ms',
  'login_method',
  'predefined_exchanges',
  'predefined_queues',
  'queue_name_prefix',
  'queue_tags',
  'read_timeout',
  'region',
  'socket_settings',
  'sqs_base64_encoding',
  'sqs_creation_attributes',
  'sts_role_arn',
  'sts_token_buffer_time',
  'sts_token_timeout',
  'supports_fanout',
  'takeover_grace_ms',
  'wait_time_seconds',
  'write_timeout',
]

const knownOptions: ReadonlySet<string> = new Set([
  ...connectionOptions,
  ...brokerOptions,
  ...retryOptions,
  ...storeOptions,
  ...ignoredOptions,
  ...foreignOptions,
])

const nestedOptions: Readonly<Record<string, ReadonlySet<string>>> = {
  retry_policy: new Set([...retryOptions, 'timeout']),
  sentinel_kwargs: new Set([...connectionOptions, ...ignoredOptions]),
  ssl: new Set([...tlsOptions, ...tlsOptions.map((name) => name.replace(/^ssl_/, ''))]),
}
