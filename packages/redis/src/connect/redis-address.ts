/** Where a server is, read from its URL; `parseBrokerUrl` of `@celery/transport` gives one. */
export interface RedisAddress {
  readonly scheme: string
  readonly host: string | undefined
  readonly port: number | undefined
  readonly username: string | undefined
  readonly password: string | undefined
  /** What follows the host, without the first slash: the number of the database, or the path of a socket. */
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  /** Further sentinels, or further nodes of the cluster. Those of other schemes are brokers of their own. */
  readonly alternates: readonly RedisAddress[]
  /** The URL with the password masked. */
  toString(): string
}
