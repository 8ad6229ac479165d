import type { AnyArgs } from '@celery/canvas'
import { closestName } from '@celery/promises'
import { NotRegisteredError } from './call-errors.ts'
import { AlreadyRegisteredError } from './setup-errors.ts'
import type { RegisteredTask, Task } from './task.ts'

/** A task of whose arguments nothing is known here; they are checked when it is called. */
export type AnyTask = Task<AnyArgs, unknown, object>

/** The tasks of an app, by name. */
export class TaskRegistry extends Map<string, RegisteredTask> {
  readonly #callables = new Map<string, AnyTask>()
  /** Tasks of all apps; one of the app's own takes the name. */
  readonly #shared = new Set<string>()

  /** @throws AlreadyRegisteredError for another task of the same name. @internal */
  register(task: RegisteredTask, callable: AnyTask): void {
    if (this.has(task.name) && !this.#shared.has(task.name)) throw new AlreadyRegisteredError(task.name)
    this.#shared.delete(task.name)
    this.set(task.name, task)
    this.#callables.set(task.name, callable)
  }

  /** Lets a task of the app's own have this name. @internal */
  markShared(name: string): void {
    this.#shared.add(name)
  }

  /** Forgets a task: a worker refuses it from then on. @throws NotRegisteredError */
  unregister(name: string): void {
    this.lookUp(name)
    this.#callables.delete(name)
    this.#shared.delete(name)
    this.delete(name)
  }

  /** The task of that name, callable and sendable. @throws NotRegisteredError which names the nearest one. */
  lookUp(name: string): AnyTask {
    const task = this.#callables.get(name)
    if (task === undefined) throw new NotRegisteredError(name, this.closest(name))
    return task
  }

  /** The name that `name` is most likely meant to be; none where it is right as it is. */
  closest(name: string): string | undefined {
    return this.has(name) ? undefined : closestName(name, this.keys())
  }
}
