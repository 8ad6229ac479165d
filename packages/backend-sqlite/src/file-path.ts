/**
 * The file that a URL names: `sqlite:///srv/app/queue.db` is `/srv/app/queue.db`, `sqlite://queue.db` a file in the
 * working directory, `sqlite:///C:/app/queue.db` one on Windows. `?`, `#` and `%` in a name are percent-encoded.
 * @throws TypeError where it names none.
 */
export function filePath(url: string): string {
  const written = /^[^:]+:\/\/([^?#]*)/.exec(url)?.[1] ?? ''
  const path = decode(written)
    // Four slashes for an absolute path, as SQLAlchemy writes it, mean the same.
    .replace(/^\/{2,}/, '/')
    .replace(/^\/([A-Za-z]:[\\/])/, '$1')
  if (path === '' || path.endsWith('/')) {
    throw new TypeError(`${url} names no file, write sqlite:///path/to/file.db`)
  }
  return path
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // A lone % that encodes nothing.
    return text
  }
}
