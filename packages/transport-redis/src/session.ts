import { parseTag } from './keys.ts'

/** A fetch whose answer is not there, or never came: the numbers that its deliveries have, if there are any. */
export interface SentFetch {
  readonly connection: string
  readonly first: number
  readonly size: number
}

/** Whether a delivery came with that fetch. */
export function cameWith({ first, size }: SentFetch, tag: string): boolean {
  const count = parseTag(tag)?.count ?? 0
  return count >= first && count < first + size
}

/**
 * What this process knows of a session: who holds deliveries over as many connections as it takes. Only by that can a
 * connection tell deliveries that are being worked on from those whose reply was lost with another one.
 */
export class Session {
  readonly id: string
  /** Tags of the deliveries that were handed out and not settled. */
  readonly held: Set<string> = new Set()
  /** Whether there may be queues that end with it, for which it keeps its lease where it holds nothing. */
  hasQueues = false
  /** Whether a connection was lost while it took over from others, and nothing was fetched since. */
  failedTakingOver = false
  /** How many connections there are that have not been closed. */
  connections = 0
  /** Whether one was closed and said that it does not go on. */
  isOver = false
  readonly #sent = new Set<SentFetch>()
  #isUsed = false
  #lost: SentFetch[] = []

  constructor(id: string) {
    this.id = id
  }

  /** Whether nothing was ever fetched for it, nor anything declared that ends with it: it may only have published. */
  get isUnused(): boolean {
    return !this.#isUsed && !this.hasQueues
  }

  /** Reserves numbers for as many deliveries as a fetch may bring, and returns the first. */
  reserve(size: number): number {
    this.#isUsed = true
    const first = nextNumber
    nextNumber += size
    return first
  }

  /** A fetch is about to be sent. */
  send(connection: string, size: number): SentFetch {
    const fetch = { connection, first: this.reserve(size), size }
    this.#sent.add(fetch)
    return fetch
  }

  /** Its answer was read, so that its deliveries are held; or it failed. */
  answered(fetch: SentFetch): void {
    this.#sent.delete(fetch)
  }

  /** Its answer will not come, and there may be deliveries of which nobody knows. */
  lost(fetch: SentFetch): void {
    this.#sent.delete(fetch)
    this.#lost.push(fetch)
  }

  /** The lost fetches that nobody has looked after. */
  takeLost(): readonly SentFetch[] {
    const lost = this.#lost
    if (lost.length > 0) this.#lost = []
    return lost
  }

  /** Whether a delivery is being worked on here, or may be on its way. */
  knows(tag: string): boolean {
    return this.held.has(tag) || [...this.#sent].some((fetch) => cameWith(fetch, tag))
  }
}

/**
 * Of the next delivery, whichever session it is for. Begins beyond what an earlier program by the same name can have come to:
 * what that has parked is still there by its number.
 */
let nextNumber = Date.now() * 1_000

const sessions = new Map<string, Session>()

/** The session of that name: the same one for every connection that carries it on. Each leaves it once. */
export function joinSession(id: string): Session {
  let session = sessions.get(id)
  if (session === undefined) {
    session = new Session(id)
    sessions.set(id, session)
  }
  session.connections++
  session.isOver = false
  return session
}

/** A connection is closed. The last one takes the session with it, unless somebody may carry that on. */
export function leaveSession(session: Session, goesOn: boolean): void {
  session.connections--
  if (!goesOn) session.isOver = true
  if (session.connections === 0 && (session.isOver || session.isUnused)) sessions.delete(session.id)
}
