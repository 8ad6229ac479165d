import { InvalidDatabaseUrlError } from './errors.ts'

/**
 * The file that a URL names, by SQLAlchemy's rule: `sqlite:///queue.db` is relative to the current folder,
 * `sqlite:////srv/app/queue.db` absolute, `sqlite:///C:/app/queue.db` one with a drive. Names are percent-encoded where
 * they hold `%`, `?` or `;`: a `?` begins a query, which says nothing about the file, and a `;` begins another URL.
 * Whoever takes such a URL asks here, because two drivers that read it differently would not share the file.
 * @throws InvalidDatabaseUrlError
 */
export function databasePath(url: string): string {
  const [text = '', ...others] = url
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part !== '')
  const parts = /^([a-z][a-z0-9+.-]*):\/\/([^/?]*)\/?([^?]*)/i.exec(text)
  if (parts === null) throw new InvalidDatabaseUrlError(undefined, 'it has no scheme; write sqlite:///queue.db')
  const [, scheme = '', authority = '', encoded = ''] = parts
  const refuse = (reason: string): never => {
    throw new InvalidDatabaseUrlError(scheme, reason)
  }
  if (others.length > 0) refuse('it names more than one file; write a ";" that belongs to a name as %3B')
  const path = decode(encoded)
  // What stands before an @ may be a password, and is not repeated.
  if (authority.includes('@')) refuse(`a file has no user; write ${scheme}:///queue.db`)
  if (authority !== '') refuse(`a file has no host; write ${scheme}:///${authority}${path === '' ? '' : `/${path}`}`)
  if (path === '' || path.endsWith('/')) refuse(`it names no file; write ${scheme}:///queue.db`)
  if (path === ':memory:') refuse(`a database in memory cannot be shared; write ${scheme}:///queue.db`)
  return path
}

/** A `%` that encodes nothing stays, as in Python's `unquote`. */
function decode(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) => Buffer.from(escapes.replaceAll('%', ''), 'hex').toString())
}
