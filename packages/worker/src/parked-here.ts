import { RecentlyUsed } from '@celery/promises'
import type { TaskHeaders } from '@celery/protocol'

/** So many are remembered at most: others may get what was parked here, and one that was forgotten is only told of twice. */
const most = 1_000

/** Tasks that this worker has received and left to the broker until a time: they are no news when they come again. */
export class ParkedHere {
  readonly #runs = new RecentlyUsed<true>(most)

  add(headers: TaskHeaders): void {
    this.#runs.set(runOf(headers), true)
  }

  /** Whether it was parked here; it is forgotten by that. */
  take(headers: TaskHeaders): boolean {
    return this.#runs.size > 0 && this.#runs.delete(runOf(headers))
  }
}

/** The next run of a task has its id too. */
function runOf({ id, retries }: TaskHeaders): string {
  return `${retries} ${id}`
}
