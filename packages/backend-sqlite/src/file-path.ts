/**
 * The file that a URL names, as the embedded broker and SQLAlchemy read it: `sqlite:////srv/app/queue.db` is
 * `/srv/app/queue.db`, `sqlite:///queue.db` a file in the working directory. `%`, `?` and `;` in a name are
 * percent-encoded.
 * @throws TypeError where it names none.
 */
export function filePath(url: string): string {
  const [, host = '', path = ''] = /^[^:]+:\/\/([^/?]*)\/?([^?]*)/.exec(url) ?? []
  if (host !== '') throw new TypeError(`${url} has a host where a file has none, write sqlite:///${host}`)
  if (path === '' || path.endsWith('/')) throw new TypeError(`${url} names no file, write sqlite:///queue.db`)
  return decode(path)
}

/** A `%` that encodes nothing stays. */
function decode(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) => Buffer.from(escapes.replaceAll('%', ''), 'hex').toString())
}
