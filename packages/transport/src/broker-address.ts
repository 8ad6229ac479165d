import { inspect } from 'node:util'
import type { BrokerAddress } from './broker-connection.ts'

/** What stands in the URL of one broker, decoded. */
export type BrokerUrlParts = Pick<
  BrokerAddress,
  'scheme' | 'host' | 'port' | 'username' | 'password' | 'path' | 'query'
>

/** An address that shows no password, however it is printed. */
export function brokerAddress(parts: BrokerUrlParts, alternates: readonly BrokerAddress[]): BrokerAddress {
  return new ParsedBrokerAddress(parts, alternates)
}

/** The password is not a property of its own, so that copying, logging and `JSON.stringify` do not carry it away. */
class ParsedBrokerAddress implements BrokerAddress {
  readonly scheme: string
  readonly host: string | undefined
  readonly port: number | undefined
  readonly username: string | undefined
  readonly #password: string | undefined
  readonly path: string
  readonly #query: Readonly<Record<string, string>>
  readonly alternates: readonly BrokerAddress[]

  constructor(parts: BrokerUrlParts, alternates: readonly BrokerAddress[]) {
    this.scheme = parts.scheme
    this.host = parts.host
    this.port = parts.port
    this.username = parts.username
    this.#password = parts.password
    this.path = parts.path
    this.#query = parts.query
    this.alternates = alternates
  }

  get password(): string | undefined {
    return this.#password
  }

  /** Behind a getter as the password: `?ssl_keyfile_password=…` is as secret. */
  get query(): Readonly<Record<string, string>> {
    return this.#query
  }

  toString(): string {
    const user = this.username === undefined ? '' : encodeURIComponent(this.username)
    const userInfo = this.#password === undefined ? user : `${user}:**`
    const host = this.host?.includes(':') ? `[${this.host}]` : encodeURIComponent(this.host ?? '')
    const port = this.port === undefined ? '' : `:${this.port}`
    // Slashes stay: `amqp://h//` and file paths are read by people.
    const path = this.path === '' ? '' : `/${encodeURIComponent(this.path).replaceAll('%2F', '/')}`
    return `${this.scheme}://${userInfo}${userInfo === '' ? '' : '@'}${host}${port}${path}${maskedQuery(this.#query)}`
  }

  toJSON(): string {
    return this.toString()
  }

  [inspect.custom](): string {
    return `BrokerAddress ${this.toString()}`
  }
}

const secretName = /pass|secret|token|key|credential|signature/i

function maskedQuery(query: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(query).map(
    ([key, value]) => `${encodeURIComponent(key)}=${secretName.test(key) ? '**' : encodeURIComponent(value)}`,
  )
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`
}
