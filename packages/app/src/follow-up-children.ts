import type { PlannedCall } from '@celery/canvas'
import type { ResultTuple, SignatureData } from '@celery/protocol'
import type { RunningTask } from './running-task.ts'

/** What a worker sends after a task has succeeded. */
interface FollowUps {
  readonly callbacks: readonly PlannedCall[]
  /** Of its chain. */
  readonly next: PlannedCall | undefined
}

/** The children of a result as Celery keeps them: what the task has sent, then its callbacks, then the next step of its chain. */
export function childrenOf(run: RunningTask, { callbacks, next }: FollowUps): readonly ResultTuple[] | undefined {
  if (run.task.options.trail === false) return undefined
  const children = callbacks.filter(isChild).map(({ chain, taskId }) => lineOf(taskId, chain ?? []))
  // The steps after it are children of those before them.
  if (next !== undefined && isChild(next)) children.push(lineOf(next.taskId, []))
  return [...(run.children ?? []), ...children]
}

/** Of a chain it is the last step, with those before it as its parents. `chain` holds the next step last. */
function lineOf(taskId: string, chain: readonly SignatureData[]): ResultTuple {
  const first: ResultTuple = [[taskId, null], null]
  return chain.reduceRight<ResultTuple>((parent, { options }) => [[options.task_id as string, parent], null], first)
}

function isChild({ options }: PlannedCall): boolean {
  return options['add_to_parent'] !== false
}
