import { describe, expect, test } from 'vitest'
import type { Fault, FaultKind, LedgerEntry } from '../ledger.ts'
import { check, type Verdict } from './check.ts'
import type { QueuedMessage, StoredState } from './evidence.ts'

const leaseMs = 2_000

/** A run as it might have been, told event by event. All is well until a test says otherwise. */
class Story {
  readonly #ledger: LedgerEntry[] = []
  readonly #records = new Map<string, StoredState>()
  #faults = 0
  messages: QueuedMessage[] = []
  integrity: string[] = []

  sent(
    call: string,
    kind: 'noop' | 'sleep' | 'chain2' | 'fail' = 'sleep',
    answer: 'ok' | 'error' | 'none' = 'ok',
  ): this {
    this.#ledger.push({ type: 'sent', call, kind, time: 0 })
    if (answer === 'ok') this.#ledger.push({ type: 'ok', call, time: 1 })
    if (answer === 'error') this.#ledger.push({ type: 'error', call, time: 1, code: 'ERR_TEST' })
    return this
  }

  started(task: string, attempt: string, pid: number, workerPid: number, time: number): this {
    this.#ledger.push({ type: 'start', task, attempt, pid, workerPid, time })
    return this
  }

  ended(task: string, attempt: string, time: number): this {
    this.#ledger.push({ type: 'end', task, attempt, time })
    return this
  }

  stored(task: string, attempt: string | undefined, state: string = 'SUCCESS', error?: string): this {
    this.#records.set(task, { state, attempt, ...(error === undefined ? {} : { error }) })
    return this
  }

  saw(task: string, attempt: string | undefined, state: string = 'SUCCESS'): this {
    this.#ledger.push({ type: 'saw', task, state, attempt, time: 0 })
    return this
  }

  fault(kind: FaultKind, pid: number, time: number, inFlight: string[], endTime: number = time): this {
    return this.#addFault({ kind, pid, time, endTime, inFlight })
  }

  /** The broker was away from `time` to `endTime`, while these workers held these tasks. */
  outage(time: number, endTime: number, holders: Record<string, number>): this {
    return this.#addFault({ kind: 'broker', pid: 0, time, endTime, inFlight: Object.keys(holders), holders })
  }

  /** All connections of the process were cut, or one of them. */
  cut(pid: number, time: number, endTime: number, inFlight: string[], all: boolean = true): this {
    return this.#addFault({
      kind: 'connection',
      pid,
      time,
      endTime,
      inFlight,
      cut: { how: all ? 'close' : 'reply', all },
    })
  }

  /** The process began to fetch on a new connection. */
  asked(pid: number, time: number): this {
    this.#ledger.push({ type: 'session', session: `s${pid}`, pid, time })
    return this
  }

  /** And was given something. */
  fetched(pid: number, time: number): this {
    this.#ledger.push({ type: 'fetched', pid, time })
    return this.asked(pid, time)
  }

  #addFault(fault: Omit<Fault, 'index' | 'running'>): this {
    this.#ledger.push({ type: 'fault', fault: { index: this.#faults++, running: fault.inFlight, ...fault } })
    return this
  }

  left(task: string, place: QueuedMessage['place']): this {
    this.messages.push({ task, place, ...(place === 'dead' ? { reason: 'it came back too often' } : {}) })
    return this
  }

  /** Hit by one fault after the other while it ran, and then given up. */
  givenUp(task: string, faults: number): this {
    for (let index = 0; index < faults; index++) {
      const [pid, time] = [10 + index, 100 * (index + 1)]
      this.started(task, `${task}-${index}`, pid, 1, time).fault('child', pid, time + 50, [task])
    }
    return this.left(task, 'dead')
  }

  verdict(): Verdict {
    return check({
      ledger: this.#ledger,
      records: this.#records,
      messages: this.messages,
      integrity: this.integrity,
      leaseMs,
      slackMs: 5_000,
    })
  }
}

/** A task that ran once, in child 11 of worker 1, from 100 to 200. */
function ranOnce(task: string, story: Story = new Story()): Story {
  return story.sent(task).started(task, `${task}-a`, 11, 1, 100).ended(task, `${task}-a`, 200).stored(task, `${task}-a`)
}

/** A task that was running in child 11 of worker 1 at 150, and ran again in child 21 of worker 2 at 2,100. */
function ranAgain(task: string, story: Story = new Story()): Story {
  return story
    .sent(task)
    .started(task, `${task}-a`, 11, 1, 100)
    .started(task, `${task}-b`, 21, 2, 2_100)
    .ended(task, `${task}-b`, 2_200)
    .stored(task, `${task}-b`)
}

describe('a run in which all went well', () => {
  test('has nothing to report', () => {
    const story = ranOnce('c0').sent('c1', 'noop').started('c1', 'x', 12, 1, 300).ended('c1', 'x', 301)
    expect(story.verdict()).toMatchObject({ sent: 2, done: 2, lost: [], duplicates: [], stuck: [], reasons: [] })
  })

  test('counts every step of a chain and every error callback', () => {
    const story = new Story().sent('c0', 'chain2').sent('c1', 'fail')
    for (const [task, state] of [
      ['c0.1', 'SUCCESS'],
      ['c0.2', 'SUCCESS'],
      ['c1', 'FAILURE'],
    ] as const) {
      story.started(task, task, 11, 1, 100).ended(task, task, 101).stored(task, task, state)
    }
    story.started('c1.rescue', 'r', 11, 1, 102).ended('c1.rescue', 'r', 103)
    expect(story.verdict()).toMatchObject({ sent: 4, done: 4, reasons: [] })
  })
})

describe('a lost task is reported', () => {
  test('when it was acknowledged before it ran and its worker died', () => {
    const story = new Story().sent('c0').started('c0', 'a', 11, 1, 100).fault('worker', 1, 150, [])
    expect(story.verdict()).toMatchObject({ lost: ['c0'], reasons: ['lost: task c0 started and never ended'] })
  })

  test('when its message was dropped', () => {
    const story = ranOnce('c0').sent('c1')
    expect(story.verdict()).toMatchObject({ sent: 2, done: 1, lost: ['c1'] })
  })

  test('when the next step of a chain never came', () => {
    const story = new Story().sent('c0', 'chain2')
    story.started('c0.1', 'a', 11, 1, 100).ended('c0.1', 'a', 101).stored('c0.1', 'a')
    expect(story.verdict()).toMatchObject({ sent: 2, done: 1, lost: ['c0.2'] })
  })

  test('when an error callback never came', () => {
    const story = new Story().sent('c0', 'fail')
    story.started('c0', 'a', 11, 1, 100).ended('c0', 'a', 101).stored('c0', 'a', 'FAILURE')
    expect(story.verdict()).toMatchObject({ lost: ['c0.rescue'] })
  })

  test('when it ended and its result is missing', () => {
    const story = new Story().sent('c0').started('c0', 'a', 11, 1, 100).ended('c0', 'a', 200)
    expect(story.verdict().reasons).toEqual(['lost: task c0 ended and left no final result'])
  })

  test('when its last state is not final', () => {
    const story = new Story().sent('c0').started('c0', 'a', 11, 1, 100).ended('c0', 'a', 200)
    story.saw('c0', undefined, 'STARTED').stored('c0', undefined, 'STARTED')
    expect(story.verdict().lost).toEqual(['c0'])
  })

  test('but not when nobody knows whether it was sent', () => {
    const story = ranOnce('c0').sent('c1', 'sleep', 'none').sent('c2', 'chain2', 'error')
    const verdict = story.verdict()
    expect(verdict).toMatchObject({ sent: 1, done: 1, unknown: 3, reasons: [] })
    expect([...verdict.rejected]).toEqual([['ERR_TEST', 1]])
  })

  test('also of a call without an answer whose first step ran: it was sent', () => {
    const story = new Story().sent('c0', 'chain2', 'none')
    story.started('c0.1', 'a', 11, 1, 100).ended('c0.1', 'a', 101).stored('c0.1', 'a')
    expect(story.verdict()).toMatchObject({ sent: 2, lost: ['c0.2'] })
  })

  test('but not when it is among the dead letters', () => {
    expect(new Story().sent('c0').givenUp('c0', 6).verdict()).toMatchObject({ sent: 1, done: 1, reasons: [] })
  })

  test('nor when a step before it in its chain is, and its record says so', () => {
    const story = new Story().sent('c0', 'chain2').givenUp('c0.1', 6)
    story.stored('c0.1', undefined, 'FAILURE').stored('c0.2', undefined, 'FAILURE')
    expect(story.verdict()).toMatchObject({ sent: 2, done: 2, reasons: [] })
  })
})

describe('a dead letter is reported', () => {
  test('when the task came back less often than it may', () => {
    expect(new Story().sent('c0').givenUp('c0', 5).verdict().reasons).toEqual([
      'dead: task c0 was given up though 5 faults hit it: it came back too often',
    ])
  })

  test('when outages and cuts are what hit it: nobody died of those', () => {
    const story = new Story().sent('c0').givenUp('c0', 5).outage(1_000, 1_100, { c0: 1 }).cut(1, 1_200, 1_300, ['c0'])
    expect(story.verdict().reasons).toContain(
      'dead: task c0 was given up though 5 faults hit it: it came back too often',
    )
  })

  test('when what hit others is all there was', () => {
    const story = new Story().sent('c0').sent('c1').givenUp('c1', 6).left('c0', 'dead')
    expect(story.verdict().reasons).toEqual([
      'dead: task c0 was given up though 0 faults hit it: it came back too often',
    ])
  })
})

describe('a stuck task is reported', () => {
  test.each(['ready', 'delayed', 'held', 'nowhere'] as const)('when its message is left %s', (place) => {
    const verdict = new Story().sent('c0').left('c0', place).verdict()
    expect(verdict).toMatchObject({ lost: [], stuck: [{ task: 'c0', place }] })
    expect(verdict.reasons).toHaveLength(1)
  })

  test('also when it has run and was not settled', () => {
    const verdict = ranOnce('c0').left('c0', 'held').verdict()
    expect(verdict).toMatchObject({ done: 1, stuck: [{ task: 'c0', place: 'held' }] })
    expect(verdict.reasons).toEqual(['stuck: the message of task c0 is still there, held'])
  })
})

describe('a task that started again is explained', () => {
  const explained = (story: Story): Story => {
    expect(story.verdict().duplicates.map(({ fault }) => fault?.index)).toEqual([0])
    expect(story.verdict().reasons).toEqual([])
    return story
  }

  test('by the kill of the worker that held it', () => {
    explained(ranAgain('c0').fault('worker', 1, 150, ['c0']))
  })

  test('by the kill of the child that ran it', () => {
    explained(ranAgain('c0').fault('child', 11, 150, ['c0']))
  })

  test('by a pause of the worker that held it, longer than the lease', () => {
    explained(ranAgain('c0').fault('pause', 1, 150, ['c0'], 3_500))
  })

  test('by a pause also when the paused worker started it last', () => {
    const story = new Story().sent('c0').started('c0', 'b', 21, 2, 2_300).ended('c0', 'b', 2_400).stored('c0', 'b')
    explained(story.started('c0', 'a', 11, 1, 3_600).ended('c0', 'a', 3_700).fault('pause', 1, 150, ['c0'], 3_500))
  })

  test('by a pause also when further ones kept the worker from starting it for long', () => {
    const story = new Story().sent('c0').started('c0', 'b', 21, 2, 2_300).ended('c0', 'b', 2_400).stored('c0', 'b')
    story.started('c0', 'a', 11, 1, 14_000).ended('c0', 'a', 14_100).fault('pause', 1, 150, ['c0'], 3_500)
    explained(story.fault('pause', 1, 3_600, [], 6_600).fault('pause', 1, 7_000, [], 10_000))
  })

  test('by the kill of a worker also when an orphan of it started it just after', () => {
    const story = new Story().sent('c0').started('c0', 'a', 11, 1, 400)
    explained(
      story.started('c0', 'b', 21, 2, 2_300).ended('c0', 'b', 2_400).stored('c0', 'b').fault('worker', 1, 150, ['c0']),
    )
  })

  test('by an outage of the broker in which its worker held it', () => {
    explained(ranAgain('c0').outage(150, 1_100, { c0: 1, c7: 2 }))
  })

  test('by a cut of the connections of the worker that held it', () => {
    explained(ranAgain('c0').cut(1, 150, 400, ['c0']))
  })

  test('by a cut also when the worker started just after it what it had been handed before', () => {
    const story = new Story().sent('c0').started('c0', 'a', 11, 1, 500).cut(1, 150, 400, ['c0'])
    explained(story.started('c0', 'b', 21, 2, 2_300).ended('c0', 'b', 2_400).stored('c0', 'b'))
  })

  test('when it ended and was not settled before the kill', () => {
    explained(ranAgain('c0').ended('c0', 'c0-a', 149).fault('worker', 1, 150, ['c0']))
  })
})

describe('a task that started again is not explained', () => {
  const unexplained = (story: Story, count: number = 1): void => {
    const verdict = story.verdict()
    expect(verdict.duplicates.filter(({ fault }) => fault === undefined)).toHaveLength(count)
    expect(verdict.reasons.filter((reason) => reason.startsWith('unexplained: task c0 '))).toHaveLength(count)
  }

  test('when there was no fault: it was sent twice', () => {
    unexplained(ranAgain('c0'))
  })

  test('by a fault of another worker', () => {
    unexplained(ranAgain('c0').fault('worker', 3, 150, ['c7']))
  })

  test('by a fault of its own worker when it was not in flight there', () => {
    unexplained(ranAgain('c0').fault('worker', 1, 150, ['c7']))
  })

  test('by a fault of a worker that held it and never ran it', () => {
    unexplained(ranAgain('c0').fault('worker', 3, 50, ['c0']))
  })

  test('by the kill of another child of its worker', () => {
    unexplained(ranAgain('c0').fault('child', 12, 150, ['c0']))
  })

  test('by the kill of a child in which it started only later', () => {
    unexplained(ranAgain('c0').fault('child', 11, 90, ['c0']))
  })

  test('by the kill of a client', () => {
    unexplained(ranAgain('c0').fault('client', 1, 150, ['c0']))
  })

  test('by an outage of the broker in which another worker held it', () => {
    unexplained(ranAgain('c0').outage(150, 1_100, { c0: 3 }))
  })

  test('by an outage of the broker in which nobody held it', () => {
    unexplained(ranAgain('c0').outage(150, 1_100, { c7: 1 }))
  })

  test('by an outage of the broker that came between two runs', () => {
    unexplained(ranAgain('c0').ended('c0', 'c0-a', 140).outage(150, 1_100, {}))
  })

  test('by a cut of the connections of another worker', () => {
    unexplained(ranAgain('c0').cut(3, 150, 400, ['c7']))
  })

  test('by a cut of the connections of the client', () => {
    unexplained(ranAgain('c0').cut(5, 150, 400, []))
  })

  test('by a cut when its worker did not hold it then', () => {
    unexplained(ranAgain('c0').cut(1, 150, 400, ['c7']))
  })

  test('by a cut when its worker began it long after', () => {
    const story = new Story().sent('c0').started('c0', 'a', 21, 2, 2_300).ended('c0', 'a', 2_400).stored('c0', 'a')
    unexplained(story.cut(1, 150, 400, ['c0']).started('c0', 'b', 11, 1, 60_000))
  })

  test('by a fault that came after it', () => {
    unexplained(ranAgain('c0').fault('worker', 1, 2_150, ['c0']))
  })

  test('a second time by the same fault', () => {
    unexplained(ranAgain('c0').fault('worker', 1, 150, ['c0']).started('c0', 'c', 31, 3, 2_150))
  })

  test('by a pause that had ended long before, whatever happened to others', () => {
    const story = new Story().sent('c0').started('c0', 'a', 21, 2, 2_100).ended('c0', 'a', 2_200).stored('c0', 'a')
    story.started('c0', 'b', 11, 1, 14_000).fault('pause', 1, 150, ['c0'], 3_500)
    unexplained(story.fault('pause', 2, 3_600, [], 6_600).fault('worker', 1, 7_000, [], 10_000))
  })

  test('by a pause that had ended long before', () => {
    const story = new Story().sent('c0').started('c0', 'a', 21, 2, 2_100).ended('c0', 'a', 2_200).stored('c0', 'a')
    unexplained(story.started('c0', 'b', 11, 1, 60_000).fault('pause', 1, 150, ['c0'], 3_500))
  })
})

describe('a result that went back is reported', () => {
  const reasons = (story: Story): readonly string[] => story.verdict().reasons

  test('when a stale attempt overwrote it', () => {
    const story = ranAgain('c0').ended('c0', 'c0-a', 2_500).fault('pause', 1, 150, ['c0'], 2_400)
    expect(reasons(story.saw('c0', 'c0-b').stored('c0', 'c0-a'))).toEqual([
      'result: of task c0: SUCCESS of attempt c0-b became SUCCESS of attempt c0-a',
    ])
  })

  test('when it became a state that is not final', () => {
    const story = ranOnce('c0').saw('c0', 'c0-a').stored('c0', undefined, 'STARTED')
    expect(reasons(story)).toContain('result: of task c0: SUCCESS of attempt c0-a became STARTED')
  })

  test('when it became a failure', () => {
    const story = ranOnce('c0').saw('c0', 'c0-a').stored('c0', 'c0-a', 'FAILURE')
    expect(reasons(story)).toHaveLength(1)
  })

  test('when it went back for a while only', () => {
    const story = ranOnce('c0').saw('c0', 'c0-a').saw('c0', undefined, 'STARTED').saw('c0', 'c0-a')
    expect(reasons(story)).toHaveLength(1)
  })

  test('when it vanished', () => {
    const story = new Story().sent('c0').started('c0', 'a', 11, 1, 100).ended('c0', 'a', 200).saw('c0', 'a')
    expect(reasons(story)).toContain('result: of task c0: SUCCESS of attempt a became no record')
  })

  test('when no attempt of the task can have had it', () => {
    expect(reasons(ranOnce('c0').stored('c0', 'c9-a'))).toHaveLength(1)
    expect(reasons(ranOnce('c0').stored('c0', undefined))).toHaveLength(1)
  })

  test('when a task that cannot fail has failed', () => {
    expect(reasons(ranOnce('c0').stored('c0', undefined, 'FAILURE'))).toHaveLength(1)
  })

  test('with what it failed with', () => {
    const story = ranOnce('c0').stored('c0', undefined, 'FAILURE', 'WorkerLostError: gone')
    expect(reasons(story)).toEqual(['result: of task c0: it ended in FAILURE (WorkerLostError: gone), not in SUCCESS'])
  })

  test('but not when it only went on', () => {
    expect(reasons(ranOnce('c0').saw('c0', undefined, 'STARTED').saw('c0', 'c0-a'))).toEqual([])
  })
})

describe('also reported is', () => {
  test('a task that ran and was never sent', () => {
    const story = ranOnce('c0').started('c9', 'x', 11, 1, 300).ended('c9', 'x', 301)
    expect(story.verdict().reasons).toEqual(['stray: task c9 ran and no client sent it'])
  })

  test('a damaged file', () => {
    const story = ranOnce('c0')
    story.integrity = ['row 3 missing from index']
    expect(story.verdict().reasons).toEqual(['integrity: row 3 missing from index'])
  })

  test('a takeover that took longer than the lease and five seconds', () => {
    const story = new Story().sent('c0').started('c0', 'a', 11, 1, 100).started('c0', 'b', 21, 2, 7_151)
    const verdict = story.ended('c0', 'b', 7_200).stored('c0', 'b').fault('worker', 1, 150, ['c0']).verdict()
    expect(verdict.takeoverMs).toBe(7_001)
    expect(verdict.reasons).toEqual(['takeover: a task of a killed worker started elsewhere after 7001 ms only'])
  })
})

describe('takeover', () => {
  test('is measured from the kill of a worker to the start elsewhere, the longest counts', () => {
    const story = ranAgain('c1', ranAgain('c0')).fault('worker', 1, 150, ['c0', 'c1'])
    expect(story.verdict().takeoverMs).toBe(1_950)
  })

  test('counts from the last worker that lost the task before it ran', () => {
    const story = ranAgain('c0').fault('worker', 1, 150, ['c0']).fault('worker', 3, 1_100, ['c0'])
    expect(story.verdict().takeoverMs).toBe(1_000)
  })

  test('counts from when the broker is back, where it was away in between', () => {
    const story = ranAgain('c0').fault('worker', 1, 150, ['c0']).outage(500, 1_600, { c0: 1 })
    expect(story.verdict().takeoverMs).toBe(500)
  })

  test('counts from when another worker fetched, where none was left', () => {
    const story = ranAgain('c0').asked(1, 1).asked(4, 1).fault('worker', 4, 100, []).fault('worker', 1, 150, ['c0'])
    expect(story.asked(2, 1_500).verdict().takeoverMs).toBe(600)
  })

  test('also where the last one was lost later, before the lease had ended', () => {
    const story = ranAgain('c0').asked(1, 1).asked(4, 1).fault('worker', 1, 150, ['c0']).fault('worker', 4, 900, [])
    expect(story.asked(2, 1_500).verdict().takeoverMs).toBe(600)
  })

  test('or from when the only other one was paused no longer', () => {
    const story = ranAgain('c0')
      .asked(1, 1)
      .asked(2, 1)
      .fault('pause', 2, 120, [], 1_700)
      .fault('worker', 1, 150, ['c0'])
    expect(story.verdict().takeoverMs).toBe(400)
  })

  test('but from the kill where another one was there, whatever others did', () => {
    const story = ranAgain('c0').asked(1, 1).asked(2, 1).asked(4, 1).fault('pause', 4, 120, [], 1_700)
    expect(story.fault('worker', 1, 150, ['c0']).asked(5, 1_900).verdict().takeoverMs).toBe(1_950)
  })

  test('but from the kill where the broker was away before or after', () => {
    const story = ranAgain('c0').outage(50, 140, {}).fault('worker', 1, 150, ['c0']).outage(2_150, 2_300, { c0: 2 })
    expect(story.verdict().takeoverMs).toBe(1_950)
  })
})

describe('recovery', () => {
  /** Workers 1 and 2 fetch from the beginning; worker 1 runs a task now and then. */
  const twoWorkers = (): Story => {
    const story = new Story().fetched(1, 1).fetched(2, 1)
    for (const [call, time] of [
      ['c0', 100],
      ['c1', 3_000],
      ['c2', 20_000],
    ] as const) {
      story
        .sent(call, 'noop')
        .started(call, `${call}-a`, 11, 1, time)
        .ended(call, `${call}-a`, time + 1)
    }
    return story
  }
  const recovered = (story: Story): Pick<Verdict, 'recoveryMs' | 'reasons'> => {
    const { recoveryMs, reasons } = story.verdict()
    return { recoveryMs, reasons }
  }

  test('is measured from the end of an outage to the next start of a task', () => {
    const story = twoWorkers().outage(1_000, 2_000, {}).fetched(1, 2_300).fetched(2, 2_400)
    expect(recovered(story)).toEqual({ recoveryMs: 1_000, reasons: [] })
  })

  test('and to when each worker fetches again', () => {
    const story = twoWorkers().outage(1_000, 2_000, {}).fetched(1, 2_300).fetched(2, 4_000)
    expect(recovered(story)).toEqual({ recoveryMs: 2_000, reasons: [] })
  })

  test('counts what follows before the broker let everybody in as no time at all', () => {
    const story = twoWorkers().cut(1, 2_900, 2_950, []).fetched(1, 2_940)
    expect(recovered(story)).toEqual({ recoveryMs: 50, reasons: [] })
  })

  test('is too long beyond five seconds', () => {
    const story = twoWorkers().cut(1, 3_100, 3_200, []).fetched(1, 3_300)
    expect(recovered(story)).toEqual({
      recoveryMs: 16_800,
      reasons: ['recovery: after fault 0 (connection) worker 1 was not back for 16800 ms'],
    })
  })

  test('is missed of a worker that never fetches again, whatever the others do', () => {
    const story = twoWorkers().outage(1_000, 2_000, {}).fetched(1, 2_300)
    expect(recovered(story).reasons).toEqual(['recovery: after fault 0 (broker) worker 2 was not back to the end'])
  })

  test('is missed of a worker that fetches again and never starts a task', () => {
    const story = twoWorkers().cut(2, 1_000, 1_100, []).fetched(2, 1_200)
    expect(recovered(story).reasons).toEqual(['recovery: after fault 0 (connection) worker 2 was not back to the end'])
  })

  test('is missed of a worker that asks again and is given nothing, though others are', () => {
    const story = twoWorkers().started('c0', 'late', 21, 2, 1_500)
    const { reasons } = story.outage(1_000, 2_000, { c0: 1 }).fetched(1, 2_300).asked(2, 2_400).verdict()
    expect(reasons).toEqual(['recovery: after fault 0 (broker) worker 2 was not back to the end'])
  })

  test('is not asked of a connection that was cut alone: another one may have fetched', () => {
    expect(recovered(twoWorkers().cut(1, 2_900, 2_950, [], false))).toEqual({ recoveryMs: 50, reasons: [] })
  })

  test('is not asked of a worker that was killed, before or after', () => {
    const story = twoWorkers().fault('worker', 2, 500, []).outage(1_000, 2_000, {}).fetched(1, 2_100)
    expect(recovered(story).reasons).toEqual([])
    const other = twoWorkers().outage(1_000, 2_000, {}).fetched(1, 2_100).fault('worker', 2, 2_050, [])
    expect(recovered(other).reasons).toEqual([])
  })

  test('is not asked of a worker that was paused', () => {
    const story = twoWorkers().fault('pause', 2, 500, [], 9_000).outage(1_000, 2_000, {}).fetched(1, 2_100)
    expect(recovered(story.fetched(2, 9_100)).reasons).toEqual([])
  })

  test('is not asked while there is no client, but that workers fetch', () => {
    const story = twoWorkers().cut(1, 3_100, 3_200, []).fetched(1, 3_300).fault('client', 9, 3_050, [])
    expect(recovered(story)).toEqual({ recoveryMs: 100, reasons: [] })
  })

  test('is not asked of the client', () => {
    expect(recovered(twoWorkers().cut(5, 3_100, 3_200, []))).toEqual({ recoveryMs: 0, reasons: [] })
  })

  test('is not asked at the end, when there may be nothing left', () => {
    expect(recovered(twoWorkers().cut(1, 20_500, 20_600, [])).reasons).toEqual([])
  })
})
