import { inspect } from 'node:util'

/** Where a broker or a result store is, read from its URL by `parseServerUrl`. Shows no password when printed. */
export interface ServerAddress extends ServerUrlParts {
  /** The other servers of the same URL (`redis://a;redis://b`): where to go when this one fails, or further sentinels. */
  readonly alternates: readonly ServerAddress[]
  /** The URL with the password as `**`. */
  toString(): string
}

/** What stands in the URL of one server, decoded. */
export interface ServerUrlParts {
  readonly scheme: string
  readonly host: string | undefined
  readonly port: number | undefined
  readonly username: string | undefined
  readonly password: string | undefined
  /** What follows the host, without the first slash: an AMQP virtual host, a Redis database, a file's path. */
  readonly path: string
  readonly query: Readonly<Record<string, string>>
}

/** An address that shows no password, however it is printed. */
export function serverAddress(parts: ServerUrlParts, alternates: readonly ServerAddress[]): ServerAddress {
  return new ParsedServerAddress(parts, alternates)
}

/** The password is not a property of its own, so that copying, logging and `JSON.stringify` do not carry it away. */
class ParsedServerAddress implements ServerAddress {
  readonly scheme: string
  readonly host: string | undefined
  readonly port: number | undefined
  readonly username: string | undefined
  readonly #password: string | undefined
  readonly path: string
  readonly #query: Readonly<Record<string, string>>
  readonly alternates: readonly ServerAddress[]

  constructor(parts: ServerUrlParts, alternates: readonly ServerAddress[]) {
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
    return `ServerAddress ${this.toString()}`
  }
}

/** Also with a slip in it: `pasword`. */
const secretName = /pas|pwd|psw|secret|token|key|credential|signature/i

function maskedQuery(query: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(query).map(
    ([key, value]) => `${encodeURIComponent(key)}=${secretName.test(key) ? '**' : encodeURIComponent(value)}`,
  )
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`
}
