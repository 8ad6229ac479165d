import type { SentCall } from './sent-call.ts'

/** Where in a call something was. */
export interface PlaceInCall {
  readonly call: SentCall
  readonly index: number
}

/**
 * Publications and deliveries, by their tags, of which this process does not know whether the broker has taken them: the
 * answer was lost, or whoever waited for it gave up. Whoever wants the same again asks here first, on whichever
 * connection, so there is one for the process. Tags are unique in the world.
 */
export class Unanswered {
  readonly #places = new Map<string, PlaceInCall>()

  get isEmpty(): boolean {
    return this.#places.size === 0
  }

  /** What was not sent has no place, and is known to be undone. */
  add(tag: string, place: PlaceInCall | undefined): void {
    if (place === undefined) return
    this.#places.set(tag, place)
    if (this.#places.size <= maxPlaces) return
    // The oldest: nobody has asked for it for so long that nobody will.
    for (const oldest of this.#places.keys()) {
      this.#places.delete(oldest)
      break
    }
  }

  get(tag: string): PlaceInCall | undefined {
    return this.#places.get(tag)
  }

  delete(tag: string): void {
    this.#places.delete(tag)
  }
}

const maxPlaces = 100_000

/** How a publication is known here: one of a tag may go to several queues. */
export function publicationName(tag: string, queue: string): string {
  return `${tag}\0${queue}`
}

export const unanswered: Unanswered = new Unanswered()
