import type { declareTasks } from './tasks.ts'

/** What the pools are given to do. */
export interface Workload {
  /** Names its metrics. */
  readonly name: string
  /** The task, by the name that it has on both sides. */
  readonly task: 'noop' | 'wait'
  /** Size of its argument. */
  readonly argumentBytes: number
  /** The part of a suite's tasks that one drain is. */
  readonly portion: number
}

export const noop: Workload = { name: 'noop', task: 'noop', argumentBytes: 0, portion: 1 }
export const kibibyte: Workload = { name: 'kibibyte', task: 'noop', argumentBytes: 1_024, portion: 1 }
export const hundredKibibytes: Workload = {
  name: 'hundredKibibytes',
  task: 'noop',
  argumentBytes: 102_400,
  portion: 1 / 10,
}

/** Tasks that wait and do nothing else: so many that one slot, or many at the same time, are busy for a while. */
export function waiting(slots: number): Workload {
  return { name: 'waiting', task: 'wait', argumentBytes: 0, portion: Math.min(1, slots / 20) }
}

/** How many tasks a drain of `workload` has, where the whole is `tasks`. */
export function drainSize({ portion }: Workload, tasks: number): number {
  return Math.max(1, Math.round(tasks * portion))
}

/** Sends the workload's task once, whenever it is called. */
export function senderOf(
  { argumentBytes, task }: Workload,
  tasks: ReturnType<typeof declareTasks>,
): () => Promise<unknown> {
  const padding = 'x'.repeat(argumentBytes)
  return task === 'wait' ? () => tasks.wait.delay() : () => tasks.noop.delay(padding)
}
