import type { ApplyOptions, CallPlan, PlannedCall } from '@celery/canvas'
import { type Connection, isTemporary, type Producer } from '@celery/messaging'
import type { SignatureData } from '@celery/protocol'
import type { AsyncResult, EagerResult } from '@celery/results'
import type { AppSignals } from './app-signals.ts'
import { bindArguments } from './arguments.ts'
import { OperationalError } from './call-errors.ts'
import { assertLimitsInOrder } from './call-limits.ts'
import { workerTask } from './current-task.ts'
import { assertSender, type Delivery } from './delivery.ts'
import type { EagerRuns } from './eager-runs.ts'
import type { Outgoing } from './outgoing.ts'
import { assertPriorities } from './priority.ts'
import type { Settings } from './settings.ts'
import type { RegisteredTask } from './task.ts'

export interface SenderOptions {
  readonly settings: Readonly<Settings>
  readonly outgoing: Outgoing
  readonly eager: EagerRuns
  readonly signals: AppSignals
  readonly task: (name: string) => RegisteredTask | undefined
  /** What sends over a connection, else over the app's own. */
  readonly producer: (connection?: Connection) => Producer
  readonly resultOf: (steps: readonly SignatureData[], queue: string | undefined) => AsyncResult
}

/** Sends calls, or runs them where that is what the settings want. */
export class Sender {
  readonly #options: SenderOptions

  constructor(options: SenderOptions) {
    this.#options = options
  }

  /**
   * Sends a call of a task that may be declared here, by whose parameters and schema its arguments are checked.
   * @throws TaskArgumentsError, what `Outgoing.message` throws, OperationalError, PublishTimeoutError
   */
  async send(plan: CallPlan, delivery?: Delivery): Promise<AsyncResult> {
    const { settings, task: taskOf } = this.#options
    const task = taskOf(plan.call.task)
    const checking = task === undefined ? undefined : checkArguments(task, plan.call)
    if (checking !== undefined) await checking
    if (task !== undefined && settings.taskAlwaysEager) return await this.#options.eager.apply(plan)
    return await this.sendUnchecked(plan, delivery)
  }

  /** Sends a call as it is, also where tasks are run eagerly. */
  async sendUnchecked({ call, steps }: CallPlan, delivery: Delivery = {}): Promise<AsyncResult> {
    const { outgoing, resultOf, signals, task } = this.#options
    assertSender(call.task, delivery)
    assertLimitsInOrder(call, task(call.task)?.options)
    assertPriorities(call)
    // A call made inside of a task belongs to its workflow.
    const parent = workerTask()
    const made = outgoing.message(call, parent?.request, delivery)
    const message = made instanceof Promise ? await made : made
    const producer = delivery.producer ?? this.#options.producer(delivery.connection)
    try {
      await producer.publish(message.publication, message.publish)
    } catch (error) {
      if (isTemporary(error)) throw new OperationalError(call.task, error as Error)
      throw error
    }
    const { exchange, routingKey } = message.publication
    if (signals.afterTaskPublish.hasListeners) {
      const { headers } = message.publication.message
      await signals.afterTaskPublish.send({ sender: call.task, exchange, routingKey, headers, body: message.body })
    }
    const result = resultOf(steps, exchange === '' ? routingKey : undefined)
    if (call.options['add_to_parent'] !== false) parent?.addChild(result.asTuple())
    return result
  }

  /** Runs a call here and now. @throws TaskArgumentsError, NotRegisteredError; with `throw` what the task throws */
  async apply(plan: CallPlan, options?: ApplyOptions): Promise<EagerResult> {
    const task = this.#options.task(plan.call.task)
    if (task !== undefined) await checkArguments(task, plan.call)
    return this.#options.eager.apply(plan, options)
  }
}

/** A promise only where the schema of the task is asynchronous. @throws TaskArgumentsError */
function checkArguments(task: RegisteredTask, { args, kwargs }: PlannedCall): Promise<void> | undefined {
  // What is no list is refused with the options.
  if (task.options.typing === false || !Array.isArray(args)) return undefined
  const bound = bindArguments(task.name, task.parameters, args, kwargs)
  const checked = task.validate?.(bound)
  return checked !== undefined && 'then' in checked ? Promise.resolve(checked).then(() => undefined) : undefined
}
