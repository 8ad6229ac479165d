import {
  type AnyArgs,
  type CallOptions,
  createSignature,
  type Dispatcher,
  planCall,
  signatureData,
  wireOptions,
} from '@celery/canvas'
import type { AsyncResult } from '@celery/results'
import { checkArguments, type Parameters } from './arguments.ts'
import type { RegisteredTask, RemoteTask, Task } from './task.ts'
import { DirectContext, runInTask } from './task-context.ts'
import type { TaskLog } from './task-logger.ts'

/** The callable task object of a registered task; `log` is where it logs to when it is called as a function. */
export function createTask(
  registered: RegisteredTask,
  dispatcher: Dispatcher,
  log: TaskLog,
): Task<AnyArgs, unknown, object> {
  const { name, parameters } = registered
  const call = (...args: readonly unknown[]): unknown => {
    const context = new DirectContext(registered, args, () => dispatcher.newId(), log)
    return runInTask(context, () => registered.run(context, args))
  }
  // A function's own `name` is read-only unless redefined; stack traces then name the task too.
  Object.defineProperty(call, 'name', { value: name })
  // Annotations may be made after the task.
  Object.defineProperty(call, 'options', { enumerable: true, get: () => registered.options })
  return Object.assign(call, sendable(name, parameters, dispatcher)) as unknown as Task<AnyArgs, unknown, object>
}

/** A task that is only known by its name. */
export function createRemoteTask(name: string, dispatcher: Dispatcher): RemoteTask<AnyArgs, unknown, object> {
  return sendable(name, undefined, dispatcher) as RemoteTask<AnyArgs, unknown, object>
}

/** `parameters` is `undefined` where nobody here knows them. */
function sendable(name: string, parameters: Parameters | undefined, dispatcher: Dispatcher) {
  async function applyAsync(
    args: AnyArgs,
    options?: CallOptions & { readonly kwargs?: Readonly<Record<string, unknown>> },
  ): Promise<AsyncResult> {
    const { kwargs, ...rest } = options ?? {}
    if (parameters !== undefined) checkArguments(name, parameters, args, kwargs)
    const data = signatureData({
      task: name,
      args,
      ...(kwargs === undefined ? undefined : { kwargs }),
      ...(options === undefined ? undefined : { options: wireOptions(rest) }),
    })
    return dispatcher.send(planCall(data, dispatcher))
  }
  return {
    taskName: name,
    applyAsync,
    delay: (...args: AnyArgs) => applyAsync(args),
    s: (...args: AnyArgs) => createSignature(name, args, { immutable: false, dispatcher }),
    si: (...args: AnyArgs) => createSignature(name, args, { immutable: true, dispatcher }),
  }
}
