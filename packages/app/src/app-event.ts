/** Something that happens to an app once, its configuration for example. */
export class AppEvent<Event> {
  readonly #receivers = new Set<(event: Event) => void>()
  #last: Event | undefined

  /**
   * Calls `receiver` when it happens, or at once where it has happened already; what it returns disconnects it. Receivers are
   * called in the order in which they were connected, and what one throws goes to whoever made it happen.
   */
  connect(receiver: (event: Event) => void): () => void {
    this.#receivers.add(receiver)
    if (this.#last !== undefined) receiver(this.#last)
    return () => void this.#receivers.delete(receiver)
  }

  /** @internal */
  happen(event: Event): void {
    this.#last = event
    for (const receiver of [...this.#receivers]) receiver(event)
  }
}
