/**
 * The least that a store must do to carry queues: lists of texts in the order of their places, and a set of texts that
 * every process reads. `listTransport()` makes a transport of it.
 *
 * Every method happens at once for whoever else uses the store. Where the connection to it breaks, reject with a
 * `ConnectionLostError`: the connection above ends, and whoever opened it opens another one. Any other error rejects
 * the operation alone.
 */
export interface ListStore {
  /** Adds an item to a list, which is made where it is not there. An item at a place that is taken replaces it. */
  put(list: string, item: ListItem): Promise<void>
  /** Takes out the item whose place sorts first, for this caller alone; `undefined` where there is none. */
  take(list: string): Promise<ListItem | undefined>
  /** How many items could be taken. */
  size(list: string): Promise<number>
  /** Removes what could be taken and resolves to how many that were. */
  clear(list: string): Promise<number>

  /** The facts that are remembered: exchanges, queues and bindings, as short texts. */
  facts(): Promise<readonly string[]>
  /** Adds a fact; one that is there already stays there once. */
  remember(fact: string): Promise<void>
  forget(fact: string): Promise<void>

  /**
   * Calls `changed` after others may have put something, until the result is disposed of. What is put through this
   * object needs no call. A store without it is asked again every `pollMs`.
   */
  watch?(changed: () => void): Disposable
  /**
   * An item that was taken has come to its end, or was put elsewhere. A store that lays aside what is taken drops it
   * here, and on `put` at the same place; what it still has of a process that died, it puts back.
   */
  settled?(list: string, place: string): Promise<void>
  /** The last connection that used this object has closed. Where it ends the store, open a new object from then on. */
  close?(): Promise<void>
}

export interface ListItem {
  /** Where in its list: some 30 ASCII letters, digits and hyphens that sort as text, and that no other item has. */
  readonly place: string
  readonly text: string
}
