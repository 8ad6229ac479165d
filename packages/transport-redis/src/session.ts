/** A fetch whose answer never came: the numbers that its deliveries have, if there are any. */
export interface LostFetch {
  readonly connection: string
  readonly first: number
  readonly size: number
}

/**
 * What this process knows of a session: who holds deliveries over as many connections as it takes. Only by that can a
 * connection tell deliveries that are being worked on from those whose reply was lost with another one.
 */
export class Session {
  readonly id: string
  /** Tags of the deliveries that were handed out and not settled. */
  readonly held: Set<string> = new Set()
  #count = 0
  #lost: LostFetch[] = []

  constructor(id: string) {
    this.id = id
  }

  /** Reserves numbers for as many deliveries as a fetch may bring, and returns the first. */
  reserve(size: number): number {
    const first = this.#count + 1
    this.#count += size
    return first
  }

  lost(fetch: LostFetch): void {
    this.#lost.push(fetch)
  }

  /** The lost fetches that nobody has looked after. */
  takeLost(): readonly LostFetch[] {
    const lost = this.#lost
    if (lost.length > 0) this.#lost = []
    return lost
  }
}

const sessions = new Map<string, Session>()

/** The session of that name: the same one for every connection that carries it on. */
export function joinSession(id: string): Session {
  let session = sessions.get(id)
  if (session === undefined) {
    session = new Session(id)
    sessions.set(id, session)
  }
  return session
}

export function endSession({ id }: Session): void {
  sessions.delete(id)
}
