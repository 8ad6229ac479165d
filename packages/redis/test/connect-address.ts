import type { RedisAddress } from '../src/connect/redis-target.ts'

/** Reads the URLs of these tests, as simple as they are; brokers read theirs by `parseBrokerUrl`. */
export function address(url: string): RedisAddress {
  const [first, ...others] = url.split(';').map((one) => readOne(one))
  if (first === undefined) throw new TypeError('no URL')
  return { ...first, alternates: others }
}

function readOne(url: string): RedisAddress {
  const match = /^([^:]+):\/\/(?:([^:@/]*)(?::([^@/]*))?@)?([^:/?]*)(?::(\d+))?(?:\/([^?]*))?(?:\?(.*))?$/.exec(url)
  if (match === null) throw new TypeError('this URL is not simple')
  const [, scheme = '', username, password, host, port, path = '', query] = match
  return {
    scheme,
    host: host === '' ? undefined : host,
    port: port === undefined ? undefined : Number(port),
    username,
    password: password === undefined ? undefined : decodeURIComponent(password),
    path,
    query: Object.fromEntries(new URLSearchParams(query)),
    alternates: [],
    toString: () => url.replace(/:[^:@/]*@/, ':**@').replace(/(password)=[^&]*/, '$1=**'),
  }
}
