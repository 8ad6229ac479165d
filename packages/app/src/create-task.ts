import { inspect } from 'node:util'
import { type AnyArgs, type CallPlan, createSignature, type Dispatcher, planCall, signatureData } from '@celery/canvas'
import type { AsyncResult, EagerResult } from '@celery/results'
import { runInTask } from './current-task.ts'
import type { Delivery } from './delivery.ts'
import { DirectContext } from './direct-context.ts'
import { splitOptions } from './send-options.ts'
import type { ApplyTaskOptions, RegisteredTask, RemoteTask, SendOptions, Task } from './task.ts'
import type { TaskLog } from './task-logger.ts'

/** What tasks need of their app. */
export interface TaskHome extends Dispatcher {
  /** The app's name. */
  readonly main: string
  send(plan: CallPlan, delivery?: Delivery): Promise<AsyncResult>
}

type WithKwargs<Options> = Options & { readonly kwargs?: Readonly<Record<string, unknown>> }

/** The callable task object of a registered task; `log` is where it logs to when it is called as a function. */
export function createTask(registered: RegisteredTask, home: TaskHome, log: TaskLog): Task<AnyArgs, unknown, object> {
  const { name } = registered
  const call = (...args: readonly unknown[]): unknown => {
    const context = new DirectContext(registered, args, () => home.newId(), log)
    return runInTask(context, () => registered.run(context, args))
  }
  // A function's own `name` is read-only unless redefined; stack traces then name the task too.
  Object.defineProperty(call, 'name', { value: name })
  // Annotations may be made after the task.
  Object.defineProperty(call, 'options', { enumerable: true, get: () => registered.options })
  const apply = async (args: AnyArgs, options?: WithKwargs<ApplyTaskOptions>): Promise<EagerResult> => {
    const { throw: propagate, ...rest } = options ?? {}
    const { plan } = planOf(name, args, rest, home)
    return home.apply(plan, { throw: propagate })
  }
  return named(Object.assign(call, sendable(name, home), { apply }), home) as unknown as Task<AnyArgs, unknown, object>
}

/** A task that is only known by its name. */
export function createRemoteTask(name: string, home: TaskHome): RemoteTask<AnyArgs, unknown, object> {
  return named(sendable(name, home), home) as RemoteTask<AnyArgs, unknown, object>
}

/** Lets it be printed in a few words, as Celery's. */
function named<Named extends { readonly taskName: string }>(task: Named, { main }: TaskHome): Named {
  const value = (): string => `<@task: ${task.taskName} of ${main}>`
  return Object.defineProperties(task, { toString: { value }, [inspect.custom]: { value } })
}

function sendable(name: string, home: TaskHome) {
  async function applyAsync(args: AnyArgs, options?: WithKwargs<SendOptions>): Promise<AsyncResult> {
    const { plan, delivery } = planOf(name, args, options, home)
    return await home.send(plan, delivery)
  }
  return {
    taskName: name,
    applyAsync,
    delay: (...args: AnyArgs) => applyAsync(args),
    s: (...args: AnyArgs) => createSignature(name, args, { immutable: false, dispatcher: home }),
    si: (...args: AnyArgs) => createSignature(name, args, { immutable: true, dispatcher: home }),
  }
}

/** What is to be sent for a call of a task by its name, and how. @throws UnknownCallOptionError */
export function planOf(
  task: string,
  args: AnyArgs,
  given: WithKwargs<SendOptions> | undefined,
  home: Dispatcher,
): { readonly plan: CallPlan; readonly delivery: Delivery | undefined } {
  if (given === undefined) return { plan: planCall(signatureData({ task, args }), home), delivery: undefined }
  const { kwargs, ...rest } = given
  const { delivery, options, place } = splitOptions(rest, task)
  const data = signatureData({ task, args, options, ...(kwargs === undefined ? undefined : { kwargs }) })
  const ids = { newId: () => home.newId(), replyTo: home.replyTo, ...place }
  return { plan: planCall(data, ids), delivery }
}
