import { type ConfirmedTask, type Evidence, isTerminal, type QueuedMessage, readHistory } from './evidence.ts'
import type { Duplicate } from './explain.ts'
import { endsOwner, explainDuplicates } from './explain.ts'
import { recoveries } from './recovery.ts'
import { resultFault } from './results.ts'
import { longestTakeoverMs } from './takeover.ts'

/** What came of a run. All is well where `reasons` is empty. */
export interface Verdict {
  /** Tasks that the broker has taken. */
  readonly sent: number
  /** Of these, those that reached a final state. */
  readonly done: number
  readonly lost: readonly string[]
  /** Every start after a task's first. */
  readonly duplicates: readonly Duplicate[]
  readonly stuck: readonly QueuedMessage[]
  /** Tasks whose publish has no answer and that never ran. */
  readonly unknown: number
  /** Publishes that rejected, by the code of their error: allowed, for whoever called was told. */
  readonly rejected: ReadonlyMap<string, number>
  readonly takeoverMs: number
  /** The longest time from when the broker could be reached again until tasks started and workers fetched. */
  readonly recoveryMs: number
  /** One sentence for each thing that must not be. */
  readonly reasons: readonly string[]
}

/** How often a message may come back before a worker gives it up: the default of the setting. */
const maxRedeliveries = 5

/** Judges a run that has come to its end: everything sent that ever will be, and given the time to end. */
export function check(evidence: Evidence): Verdict {
  const { records, messages, integrity, leaseMs, slackMs } = evidence
  const history = readHistory(evidence.ledger)
  const dead = new Map(messages.filter(({ place }) => place === 'dead').map(({ task, reason }) => [task, reason]))
  const stuck = messages.filter(({ place }) => place !== 'dead')
  const waiting = new Set(stuck.map(({ task }) => task))
  const reasons: string[] = []

  const isDone = (task: ConfirmedTask): boolean => {
    if (dead.has(task.id)) return true
    if (task.keepsResult) return isTerminal(records.get(task.id)?.state)
    return task.attempts.some((attempt) => attempt.endTime !== undefined)
  }
  let done = 0
  const lost: string[] = []
  for (const task of history.tasks.values()) {
    if (isDone(task)) done++
    else if (!waiting.has(task.id)) {
      lost.push(task.id)
      reasons.push(`lost: task ${task.id} ${describeLoss(task)}`)
    }
  }
  for (const { task, place } of stuck) reasons.push(`stuck: the message of task ${task} is still there, ${place}`)

  const duplicates = explainDuplicates(history.tasks.values(), history.faults, leaseMs)
  for (const { task, attempt, fault } of duplicates) {
    if (fault !== undefined) continue
    const when = new Date(attempt.startTime).toISOString()
    reasons.push(`unexplained: task ${task} started again at ${when} in process ${attempt.pid} of ${attempt.workerPid}`)
  }
  for (const task of history.tasks.values()) {
    if (!task.keepsResult) continue
    const mayFail = isUnrun(task, dead, history.tasks)
    const fault = resultFault(task, history.sightings.get(task.id) ?? [], records.get(task.id), mayFail)
    if (fault !== undefined) reasons.push(`result: of task ${task.id}: ${fault}`)
  }
  for (const [task, reason] of dead) {
    const hits = history.faults.filter((fault) => endsOwner(fault) && fault.inFlight.includes(task)).length
    if (hits <= maxRedeliveries) reasons.push(`dead: task ${task} was given up though ${hits} faults hit it: ${reason}`)
  }
  for (const task of history.strays) reasons.push(`stray: task ${task} ran and no client sent it`)
  for (const problem of integrity) reasons.push(`integrity: ${problem}`)

  const takeoverMs = longestTakeoverMs(history)
  if (takeoverMs > leaseMs + slackMs) {
    reasons.push(`takeover: a task of a killed worker started elsewhere after ${takeoverMs} ms only`)
  }
  let recoveryMs = 0
  for (const { fault, pid, tookMs } of recoveries(history, slackMs)) {
    recoveryMs = Math.max(recoveryMs, tookMs ?? 0)
    if (tookMs !== undefined && tookMs <= slackMs) continue
    const who = pid === undefined ? 'no task started' : `worker ${pid} was not back`
    const since = tookMs === undefined ? 'to the end' : `for ${tookMs} ms`
    reasons.push(`recovery: after fault ${fault.index} (${fault.kind}) ${who} ${since}`)
  }
  return {
    sent: history.tasks.size,
    done,
    lost,
    duplicates,
    stuck,
    unknown: history.unknown.length,
    rejected: history.errors,
    takeoverMs,
    recoveryMs,
    reasons,
  }
}

/** Whether it is among the dead letters, or a step before it in its chain is. */
function isUnrun(
  { after, id }: ConfirmedTask,
  dead: ReadonlyMap<string, unknown>,
  tasks: ReadonlyMap<string, ConfirmedTask>,
): boolean {
  if (dead.has(id)) return true
  const before = after === undefined ? undefined : tasks.get(after)
  return before !== undefined && isUnrun(before, dead, tasks)
}

function describeLoss({ attempts, keepsResult }: ConfirmedTask): string {
  if (attempts.length === 0) return 'was confirmed and never started'
  const ended = attempts.some((attempt) => attempt.endTime !== undefined)
  if (!ended) return 'started and never ended'
  return keepsResult ? 'ended and left no final result' : 'ended'
}
