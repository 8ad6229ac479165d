import { OptionReader } from '@celery/redis'

/** What `broker_transport_options` hold for fanout exchanges. */
export interface FanoutSettings {
  /** Before the name of the exchange; `{db}` in it is the number of the database, which PUB/SUB itself does not tell apart. */
  readonly prefix: string
  /** Whether the routing key is part of the channel, so that a queue hears only what it is bound for. */
  readonly patterns: boolean
}

/** @throws InvalidRedisAddressError naming the option */
export function readFanoutSettings(
  address: string,
  sources: readonly Readonly<Record<string, unknown>>[],
): FanoutSettings {
  const reader = new OptionReader(address, sources)
  return { prefix: readPrefix(reader), patterns: reader.boolean('fanout_patterns') ?? true }
}

const defaultPrefix = '/{db}.'

/** True for the default, false or empty for none, other text for itself. In a URL all of it is text. */
function readPrefix(reader: OptionReader): string {
  const value = reader.value('fanout_prefix')
  if (value === undefined || value === true || value === 'true') return defaultPrefix
  if (value === false || value === '' || value === 'false') return ''
  if (typeof value === 'string') return value
  throw reader.invalid('fanout_prefix', 'is neither true nor false nor text')
}

/** Channels that a queue hears: a name, or where there are several parts, whatever has these with anything between. */
export interface Channels {
  readonly parts: readonly string[]
  /** As the server takes it: the name, or a glob pattern. */
  readonly text: string
  readonly isPattern: boolean
}

/** Which channels carry an exchange, as kombu names them: `/<db>.<exchange>[/<routing key>]`. */
export class FanoutChannels {
  readonly #prefix: string
  readonly #patterns: boolean

  /** @param keyPrefix - `global_keyprefix`, which goes before channels as before keys */
  constructor({ patterns, prefix }: FanoutSettings, keyPrefix: string, db: number) {
    this.#prefix = keyPrefix + prefix.replaceAll('{db}', String(db))
    this.#patterns = patterns
  }

  /** Where a message is published. */
  channel(exchange: string, routingKey: string): string {
    const path = this.#patterns && routingKey !== '' ? `/${routingKey}` : ''
    return `${this.#prefix}${exchange}${path}`
  }

  /** What a binding hears. `#` is anything, and `*` too, also across dots: Redis knows nothing smaller. */
  channels(exchange: string, routingKey: string): Channels {
    const [first = '', ...others] = this.#patterns ? routingKey.split(/[#*]+/) : ['']
    const parts = [this.channel(exchange, ''), ...others]
    if (this.#patterns && routingKey !== '') parts[0] += `/${first}`
    const isPattern = parts.length > 1
    return { parts, isPattern, text: isPattern ? parts.map(escapeGlob).join('*') : parts.join('') }
  }
}

/** Whether a channel is one of them, as the server sees it. */
export function hears({ parts }: Channels, channel: string): boolean {
  const [first = '', ...others] = parts
  const last = others.pop()
  if (last === undefined) return channel === first
  if (!channel.startsWith(first)) return false
  let at = first.length
  for (const part of others) {
    const found = channel.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return channel.length - last.length >= at && channel.endsWith(last)
}

/** Names of exchanges and the text of keys mean themselves. */
function escapeGlob(text: string): string {
  return text.replace(/[\\*?[\]^]/g, '\\$&')
}
