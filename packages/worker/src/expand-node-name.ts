/** What `nodeName` makes of a name, without looking at whether it may be one: for those who only look for a worker. */
export function expandNodeName(pattern: string | undefined, host: string): string {
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
