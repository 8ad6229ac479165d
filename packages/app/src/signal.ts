/** What every signal says: whom it is about, by which receivers choose. */
export interface SignalEvent {
  /** Name of the task, for the signals of the task life. */
  readonly sender: string
}

export type Receiver<Event extends SignalEvent> = (event: Event) => void | Promise<void>

export interface ConnectOptions {
  /** Hears only of this sender. @defaultValue of all */
  readonly sender?: string
  /** Names the receiver: one that is connected under the same name gives way, so that a module loaded twice is heard once. */
  readonly uid?: string
}

interface Connected<Event extends SignalEvent> {
  readonly receiver: Receiver<Event>
  readonly sender: string | undefined
  readonly uid: string | undefined
}

export interface SignalOptions {
  /** Told what a receiver threw. It must not throw. */
  readonly onError: (signal: string, error: unknown) => void
  /** Told whenever the number of receivers changes. */
  readonly onChange?: () => void
}

/**
 * Tells whoever is connected that something has happened. Receivers are called in the order in which they were connected, each
 * when the one before is done; what one throws is logged and keeps neither the others nor the sender.
 */
export class Signal<Event extends SignalEvent> {
  readonly name: string
  readonly #options: SignalOptions
  /** Never changed in place: a receiver may connect or disconnect another while they are called. */
  #connected: readonly Connected<Event>[] = []

  constructor(name: string, options: SignalOptions) {
    this.name = name
    this.#options = options
  }

  /** Whether anybody listens; where nobody does, an event need not be made. */
  get hasListeners(): boolean {
    return this.#connected.length > 0
  }

  /** Who listens, in order. */
  get receivers(): readonly Receiver<Event>[] {
    return this.#connected.map(({ receiver }) => receiver)
  }

  /** Calls `receiver` from now on; what it returns disconnects it. The same receiver for the same sender counts once. */
  connect(receiver: Receiver<Event>, options: ConnectOptions = {}): () => void {
    if (typeof receiver !== 'function')
      throw new TypeError(`${this.name}.connect() takes a function, not ${typeof receiver}`)
    const added: Connected<Event> = { receiver, sender: options.sender, uid: options.uid }
    this.#change([...this.#connected.filter((each) => !isSame(each, added)), added])
    return () => this.#change(this.#connected.filter((each) => each !== added))
  }

  /** Removes a receiver, or the one of that name; says whether it was there. */
  disconnect(receiver: Receiver<Event> | string): boolean {
    const left = this.#connected.filter((each) => each.receiver !== receiver && each.uid !== receiver)
    const found = left.length < this.#connected.length
    this.#change(left)
    return found
  }

  /** Calls the receivers. Gives a promise only where one of them does; it never rejects. */
  send(event: Event): Promise<void> | undefined {
    return this.#sendFrom(this.#connected, 0, event)
  }

  #sendFrom(connected: readonly Connected<Event>[], first: number, event: Event): Promise<void> | undefined {
    for (let index = first; index < connected.length; index++) {
      const { receiver, sender } = connected[index] as Connected<Event>
      if (sender !== undefined && sender !== event.sender) continue
      try {
        const done = receiver(event)
        if (done !== undefined) return this.#sendAfter(done, connected, index + 1, event)
      } catch (error) {
        this.#options.onError(this.name, error)
      }
    }
    return undefined
  }

  async #sendAfter(
    done: Promise<void>,
    connected: readonly Connected<Event>[],
    next: number,
    event: Event,
  ): Promise<void> {
    try {
      await done
    } catch (error) {
      this.#options.onError(this.name, error)
    }
    await this.#sendFrom(connected, next, event)
  }

  #change(connected: readonly Connected<Event>[]): void {
    this.#connected = connected
    this.#options.onChange?.()
  }
}

function isSame<Event extends SignalEvent>(a: Connected<Event>, b: Connected<Event>): boolean {
  if (a.uid !== undefined || b.uid !== undefined) return a.uid === b.uid
  return a.receiver === b.receiver && a.sender === b.sender
}
