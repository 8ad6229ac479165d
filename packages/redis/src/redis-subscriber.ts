/** A connection that receives what is published. It never connects again by itself; see `RedisClient`. */
export interface RedisSubscriber extends AsyncDisposable {
  /** The server's address with the password masked. */
  readonly address: string
  /** Resolves after `close()`, rejects with `RedisUnavailableError` if the connection has failed. */
  readonly closed: Promise<void>
  /** Resolves when the server sends what is published on these channels. */
  subscribe(...channels: string[]): Promise<void>
  unsubscribe(...channels: string[]): Promise<void>
  /** As `subscribe`, for all channels whose names match a glob pattern. */
  psubscribe(...patterns: string[]): Promise<void>
  punsubscribe(...patterns: string[]): Promise<void>
  /** Calls `run` for every message, also for one that several patterns match, once for each. Returns how to stop. */
  onMessage(run: (message: PublishedMessage) => void): () => void
  /** Safe twice. */
  close(): Promise<void>
}

export interface PublishedMessage {
  readonly channel: string
  /** Why it was sent here, where that was a pattern. */
  readonly pattern?: string
  readonly payload: Buffer
}
