import { InvalidServerUrlError } from './errors.ts'
import { type ServerAddress, type ServerUrlParts, serverAddress } from './server-address.ts'

/**
 * Reads the URL of a broker or a result store by kombu's rules, which `new URL` does not know: user, password and path
 * are percent-decoded, the path loses its first slash only (`amqp://h//` is the virtual host `/`, `sqlite:////srv/q.db` an absolute path,
 * `sqlite:///q.db` a relative one), and several servers are joined by `;`. The first one is returned, the others are
 * its `alternates`. A part without a scheme (`redis://a:6379;b:6379/0`) takes scheme and user from the part before
 * it, and path and query from the part after it where it has none itself. A `;` that belongs to a name is written `%3B`.
 * @throws InvalidServerUrlError
 */
export function parseServerUrl(url: string): ServerAddress {
  const parsed: UrlParts[] = []
  for (const part of url.split(';')) {
    if (part.trim() !== '') parsed.push(parseOne(part.trim(), parsed.at(-1)))
  }
  const first = parsed[0]
  if (first === undefined)
    throw new InvalidServerUrlError(undefined, 'it is empty; write for example "redis://localhost"')
  for (let index = parsed.length - 2; index >= 0; index--) inheritPath(parsed[index], parsed[index + 1])
  const alternates = parsed.slice(1).map((parts) => serverAddress(parts, []))
  return serverAddress(first, alternates)
}

interface UrlParts extends ServerUrlParts {
  /** Whether the part began where another one left off: `;b:6379/0`. */
  readonly continued: boolean
  path: string
  query: Readonly<Record<string, string>>
}

function parseOne(text: string, previous: UrlParts | undefined): UrlParts {
  const separator = text.indexOf('://')
  if (separator < 0 && previous === undefined) {
    throw new InvalidServerUrlError(undefined, withoutScheme(text))
  }
  const scheme = separator < 0 ? (previous?.scheme ?? '') : text.slice(0, separator).toLowerCase()
  if (!/^[a-z][a-z0-9+.-]*$/.test(scheme)) {
    throw new InvalidServerUrlError(
      undefined,
      'its scheme is not a letter followed by letters, digits, "+", "-" or "."',
    )
  }
  const rest = separator < 0 ? text : text.slice(separator + 3)
  const [beforeQuery, query] = cut(rest, '?')
  const [authority, path] = cut(beforeQuery, '/')
  // As Python: the last "@" ends the user, so that an unescaped one in a password does no harm.
  const at = authority.lastIndexOf('@')
  const [username, password] = at < 0 ? [undefined, undefined] : cut(authority.slice(0, at), ':')
  const inherited = separator < 0 && at < 0 ? previous : undefined
  return {
    scheme,
    continued: separator < 0,
    ...parseHost(authority.slice(at + 1), scheme),
    username: inherited === undefined ? decode(username) : inherited.username,
    password: inherited === undefined ? decode(password) : inherited.password,
    path: decode(path) ?? '',
    query: parseQuery(query),
  }
}

/** What to write instead. Of the text nothing is shown but a scheme that is known: the rest may hold a password. */
function withoutScheme(text: string): string {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1]?.toLowerCase()
  if (scheme !== undefined && serverSchemes.has(scheme)) {
    return `after its scheme "//" is missing; write for example ${scheme}://localhost`
  }
  if (scheme !== undefined && fileSchemes.has(scheme)) {
    return `after its scheme "//" is missing; write for example ${scheme}:///queue.db`
  }
  return 'it has no scheme; write for example redis://localhost:6379/0 for a server, or sqlite:///queue.db for a file'
}

const serverSchemes: ReadonlySet<string> = new Set(['redis', 'rediss', 'sentinel', 'amqp', 'amqps', 'memory'])
const fileSchemes: ReadonlySet<string> = new Set(['sqlite'])

/** `redis://a:6379;b:6379/0`: the path stands once, at the end, and means both. */
function inheritPath(parts: UrlParts | undefined, next: UrlParts | undefined): void {
  if (parts === undefined || next === undefined || !next.continued) return
  if (parts.path === '') parts.path = next.path
  if (Object.keys(parts.query).length === 0) parts.query = next.query
}

function parseHost(text: string, scheme: string): Pick<UrlParts, 'host' | 'port'> {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::([^:]*))?$/.exec(text)
  if (match === null)
    throw new InvalidServerUrlError(scheme, 'its host cannot be read; write an IPv6 address in brackets')
  const host = decode(match[1] ?? match[2])?.toLowerCase()
  return { host: host === '' ? undefined : host, port: parsePort(match[3], scheme) }
}

function parsePort(text: string | undefined, scheme: string): number | undefined {
  if (text === undefined || text === '') return undefined
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (port <= 65_535) return port
  throw new InvalidServerUrlError(
    scheme,
    'its port is not a number up to 65535; in a user or password write "/", "?", "#", ":" and ";" as %2F, %3F, %23, %3A and %3B',
  )
}

function parseQuery(text: string | undefined): Readonly<Record<string, string>> {
  const query: Record<string, string> = Object.create(null) as Record<string, string>
  for (const [key, value] of new URLSearchParams(text ?? '')) query[key] = value
  return query
}

/** Percent-decoding that leaves alone what is not an escape, as Python's `unquote`. */
function decode(text: string | undefined): string | undefined {
  if (text === undefined || !text.includes('%')) return text
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) =>
    Buffer.from(escapes.replaceAll('%', ''), 'hex').toString('utf8'),
  )
}

function cut(text: string, separator: string): [string, string | undefined] {
  const index = text.indexOf(separator)
  return index < 0 ? [text, undefined] : [text.slice(0, index), text.slice(index + separator.length)]
}
