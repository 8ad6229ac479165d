import type { CeleryApp } from './celery-app.ts'
import { currentApp } from './current-app.ts'
import { forEveryApp } from './process-apps.ts'
import type { TaskOptions } from './task.ts'
import type { AnyTask } from './task-registry.ts'

/**
 * Declares a task for every app of the process, those to come too: for libraries, which do not know the app. Called or sent, it
 * is that of the {@link currentApp}. An app's own task of the same name takes its place there.
 */
export const sharedTask: CeleryApp['task'] = (
  name: string,
  fn: (...args: never[]) => unknown,
  options: TaskOptions = {},
): never => {
  forEveryApp((app) => app.shareTask(name, fn, options))
  const task = (): AnyTask => currentApp().tasks.lookUp(name)
  // The target is a function only so that the proxy can be called.
  return new Proxy(() => undefined, {
    apply: (_target, _self, args) => task()(...(args as never[])),
    get: (_target, property) => Reflect.get(task(), property),
    has: (_target, property) => Reflect.has(task(), property),
  }) as never
}
