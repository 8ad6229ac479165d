import { hostname } from 'node:os'
import { InvalidNodeNameError } from '@celery/app'
import { expandNodeName } from './expand-node-name.ts'

/**
 * Expands `%h` (host), `%n` (name), `%d` (domain) and `%%`, as `celery worker -n` does; adds the host where none is given.
 * @throws InvalidNodeNameError for a name that would lead out of the folder of a file that is called after it.
 */
export function nodeName(pattern: string | undefined, host: string = hostname()): string {
  return checked(expandNodeName(pattern, host))
}

function checked(node: string): string {
  if (node.length > mostCharacters)
    throw new InvalidNodeNameError(node, `it has more than ${mostCharacters} characters`)
  if (/[/\\]/.test(node)) throw new InvalidNodeNameError(node, 'it holds a slash, as paths do')
  if (/\p{Cc}/u.test(node)) throw new InvalidNodeNameError(node, 'it holds a control character')
  const at = node.indexOf('@')
  for (const part of [node.slice(0, at), node.slice(at + 1)]) {
    if (part === '.' || part === '..') throw new InvalidNodeNameError(node, `"${part}" is a folder`)
  }
  return node
}

/** As file systems allow of a file's name. */
const mostCharacters = 255

/**
 * Replaces the variables of a path: `%p` is the full node name, `%h` its host, `%n` its name, `%d` the host's domain, `%i`
 * the number of the pool process, 0 in the main one, and `%I` the same with a dash before it, nothing in the main one.
 */
export function expandPath(pattern: string, node: string, processIndex = 0): string {
  const at = node.indexOf('@')
  const host = node.slice(at + 1)
  const dot = host.indexOf('.')
  const values: Readonly<Record<string, string>> = {
    '%': '%',
    p: node,
    h: host,
    n: node.slice(0, at),
    d: dot === -1 ? '' : host.slice(dot + 1),
    i: String(processIndex),
    I: processIndex === 0 ? '' : `-${processIndex}`,
  }
  return pattern.replace(/%([%phndiI])/g, (_, letter: string) => values[letter] ?? '')
}
