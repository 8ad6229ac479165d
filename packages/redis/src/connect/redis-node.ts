import { InvalidRedisAddressError } from '../errors.ts'
import type { OptionReader } from './option-reader.ts'
import type { RedisAddress } from './redis-address.ts'

/** One server, as the network knows it. */
export type RedisNode = { readonly host: string; readonly port: number } | { readonly path: string }

export function nodeName(node: RedisNode): string {
  if ('path' in node) return node.path
  return node.host.includes(':') ? `[${node.host}]:${node.port}` : `${node.host}:${node.port}`
}

/** The server of the URL; with sentinels or a cluster also those of its alternates, and of the option `sentinels`. */
export function readNodes(
  address: RedisAddress,
  reader: OptionReader,
  kind: 'server' | 'sentinel' | 'cluster',
  isSocket: boolean,
): readonly RedisNode[] {
  if (isSocket) return [readSocket(address)]
  if (kind === 'server') return [readHost(address, 6379)]
  if (kind === 'cluster') return [address, ...address.alternates].map((one) => readHost(one, 6379))
  const listed = reader.value('sentinels')
  if (listed !== undefined) return readSentinels(listed, reader)
  return [address, ...address.alternates].map((one) => readHost(one, 26_379))
}

function readHost(address: RedisAddress, defaultPort: number): RedisNode {
  return { host: address.host ?? '127.0.0.1', port: address.port ?? defaultPort }
}

/** The path lost its first slash as every path of a URL does: one in the file system is absolute. */
function readSocket(address: RedisAddress): RedisNode {
  if (address.path === '' || address.host !== undefined) {
    throw new InvalidRedisAddressError(
      address.toString(),
      'it has no path of a socket: write three slashes, redis+socket:///run/redis.sock?virtual_host=0',
    )
  }
  return { path: address.path.startsWith('/') ? address.path : `/${address.path}` }
}

/** As redis-py takes them, `[['host', 26379], …]`, or `['host:26379', …]`. */
function readSentinels(listed: unknown, reader: OptionReader): readonly RedisNode[] {
  const problem = 'is not a list of "host:port" or of [host, port]'
  if (!Array.isArray(listed) || listed.length === 0) throw reader.invalid('sentinels', problem)
  return listed.map((item: unknown) => {
    const [host, port = 26_379]: unknown[] =
      typeof item === 'string' ? splitPort(item) : Array.isArray(item) ? item : []
    const number = Number(port)
    if (typeof host === 'string' && host !== '' && Number.isInteger(number) && number > 0 && number <= 65_535) {
      return { host, port: number }
    }
    throw reader.invalid('sentinels', problem)
  })
}

function splitPort(text: string): string[] {
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text)
  if (match === null) return []
  const host = match[1] ?? match[2] ?? ''
  return match[3] === undefined ? [host] : [host, match[3]]
}
