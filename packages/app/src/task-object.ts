import type { TaskDefaults, TaskOptions } from './task.ts'

/** A task as an object: what tasks are declared with, and the function. */
export interface TaskObject extends TaskDefaults {
  /** Unique among the tasks of an app. @defaultValue the module and the name of its class */
  readonly name?: string
  /** The task. `this` is the object, of which there is one in each process. */
  run(...args: never[]): unknown
}

export interface TaskDeclaration {
  readonly name: string
  readonly run: (...args: never[]) => unknown
  readonly options: TaskOptions<readonly []>
}

/** What `app.task` is to be given for an object, or for a class to make one of. */
export function declarationOf(
  task: TaskObject | (new () => TaskObject),
  nameOf: (className: string) => string,
): TaskDeclaration {
  const object = typeof task === 'function' ? new task() : task
  const className = object.constructor === Object ? '' : object.constructor.name
  return {
    name: object.name ?? nameOf(className),
    run: object.run.bind(object),
    options: { base: object },
  }
}
