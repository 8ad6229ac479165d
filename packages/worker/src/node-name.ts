import { hostname } from 'node:os'

/** Expands `%h` (host), `%n` (name), `%d` (domain) and `%%`, as `celery worker -n` does; adds the host where none is given. */
export function nodeName(pattern: string | undefined, host: string = hostname()): string {
  const name = pattern === undefined || pattern === '' ? 'celery' : pattern
  const [local = 'celery', ...rest] = name.split('@')
  const dot = host.indexOf('.')
  const values: Readonly<Record<string, string>> = {
    '%': '%',
    h: host,
    n: dot === -1 ? host : host.slice(0, dot),
    d: dot === -1 ? '' : host.slice(dot + 1),
  }
  const full = `${local}@${rest.length === 0 ? host : rest.join('@')}`
  return full.replace(/%([%hnd])/g, (_, letter: string) => values[letter] ?? '')
}
