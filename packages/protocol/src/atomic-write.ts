/**
 * One write to a result store, prepared so that a broker on the same server can carry it out in its own
 * transaction. The store makes it, the broker with the same `domain` runs it, and nobody between them looks inside.
 */
export interface AtomicWrite {
  /** Names the server or file: `sqlite:/srv/app/.celery/queue.db`. Equal domains speak the same `statement`. */
  readonly domain: string
  readonly statement: unknown
}
