import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Blueprint } from './blueprint.ts'
import type { Step } from './step.ts'

type Phase = 'idle' | 'starting' | 'up' | 'stopping' | 'down' | 'broken'

interface Plan {
  readonly requires: readonly string[]
  readonly enabled: boolean
  readonly created: boolean
  readonly terminable: boolean
  readonly failsTo: 'start' | 'stop' | 'nothing'
  /** What its `start` and `stop` call on the blueprint, out of turn. */
  readonly calls: 'stop' | 'terminate' | 'nothing'
}

const plans: fc.Arbitrary<readonly Plan[]> = fc
  .array(
    fc.record({
      before: fc.array(fc.nat(5), { maxLength: 3 }),
      enabled: fc.boolean().map((no) => !no),
      created: fc.boolean(),
      terminable: fc.boolean(),
      failsTo: fc.constantFrom('start' as const, 'stop' as const, ...Array<'nothing'>(8).fill('nothing')),
      calls: fc.constantFrom('stop' as const, 'terminate' as const, ...Array<'nothing'>(12).fill('nothing')),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .map((drafts) =>
    drafts.map(({ before, ...plan }, i) => ({
      ...plan,
      requires: before.filter((number) => number < i).map((number) => `s${number}`),
    })),
  )

/** Steps that check on every call that they and their neighbours are where they should be. */
class Fleet {
  readonly phases = new Map<string, Phase>()
  readonly steps: readonly Step[]
  readonly broken: string[] = []
  /** Calls the blueprint, set once that exists. */
  call: (operation: 'stop' | 'terminate') => void = () => {}
  /** Steps whose stop was seen to fail. */
  readonly stopFailures: string[] = []
  readonly #killed = new Set<string>()
  #busy: string | undefined

  constructor(plans: readonly Plan[], pause: (label: string) => Promise<unknown>) {
    this.steps = plans.map((plan, i) => this.#step(`s${i}`, plan, pause)).reverse()
    for (const { name } of this.steps) this.phases.set(name, 'idle')
  }

  #step(name: string, plan: Plan, pause: (label: string) => Promise<unknown>): Step {
    const enter = (from: Phase, to: Phase): void => {
      this.#check(this.phases.get(name) === from, `${name} is ${this.phases.get(name)}, not ${from}, before ${to}`)
      this.#check(this.#busy === undefined, `${name} enters ${to} while ${this.#busy} is busy`)
      this.phases.set(name, to)
      this.#busy = name
    }
    const leave = (to: Phase): void => {
      this.phases.set(name, to)
      this.#busy = undefined
    }
    const checkNoneNeedsIt = (): void => {
      for (const { name: other, requires } of this.steps) {
        const phase = this.phases.get(other)
        const isUp = phase === 'starting' || phase === 'up' || phase === 'stopping'
        this.#check(!(requires?.includes(name) && isUp), `${name} ends while ${other}, which needs it, is ${phase}`)
      }
    }
    const terminate = async (): Promise<void> => {
      this.#check(this.#busy === undefined || this.#busy === name, `${name} ends while ${this.#busy} is busy`)
      this.#check(!this.#killed.has(name), `${name} is terminated twice`)
      this.#killed.add(name)
      this.#busy = name
      checkNoneNeedsIt()
      await pause(`terminate ${name}`)
      leave('down')
    }
    return {
      name,
      requires: plan.requires,
      enabled: plan.enabled,
      ...(plan.created && { create: () => pause(`create ${name}`).then(() => {}) }),
      start: async (_parent, { signal }) => {
        enter('idle', 'starting')
        this.#check(!signal.aborted, `${name} starts although the blueprint stops`)
        for (const other of plan.requires) {
          const needed = this.steps.find((step) => step.name === other)?.enabled === true
          this.#check(!needed || this.phases.get(other) === 'up', `${name} starts while ${other} is not up`)
        }
        if (plan.calls !== 'nothing') this.call(plan.calls)
        await pause(`start ${name}`)
        if (this.#killed.has(name)) throw signal.reason
        leave(plan.failsTo === 'start' ? 'broken' : 'up')
        if (plan.failsTo === 'start') throw new Error(`${name} starts badly`)
      },
      stop: async () => {
        enter('up', 'stopping')
        checkNoneNeedsIt()
        if (plan.calls !== 'nothing') this.call(plan.calls)
        await pause(`stop ${name}`)
        if (this.#killed.has(name)) return
        leave('down')
        if (plan.failsTo !== 'stop') return
        this.stopFailures.push(name)
        throw new Error(`${name} stops badly`)
      },
      ...(plan.terminable && { terminate }),
    }
  }

  #check(holds: boolean, otherwise: string): void {
    if (!holds) this.broken.push(otherwise)
  }
}

test('whatever is called, whenever: every step goes up at most once, comes down exactly once, and all in order', async () => {
  const operations = fc.array(fc.constantFrom('start' as const, 'stop' as const, 'terminate' as const), {
    minLength: 1,
    maxLength: 5,
  })
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), plans, operations, async (scheduler, plans, operations) => {
      const fleet = new Fleet(plans, (label) => scheduler.schedule(Promise.resolve(), label))
      const blueprint = new Blueprint({ name: 'fleet', steps: fleet.steps })
      const outcomes: Promise<PromiseSettledResult<void>[]>[] = []
      let terminated = false
      const call = (operation: (typeof operations)[number]): void => {
        terminated ||= operation === 'terminate'
        outcomes.push(Promise.allSettled([blueprint[operation]()]))
      }
      fleet.call = call
      const calls = operations.map((operation) =>
        scheduler.schedule(Promise.resolve(), operation).then(() => call(operation)),
      )
      await scheduler.waitFor(Promise.all(calls))
      // In the end it is stopped, and every promise it ever gave settles.
      const stopped = Promise.allSettled([blueprint.stop(), blueprint.closed])
      await scheduler.waitFor(Promise.all([stopped, Promise.all(outcomes)]))

      expect(fleet.broken).toEqual([])
      for (const phase of fleet.phases.values()) expect(['idle', 'down', 'broken']).toContain(phase)
      const failedToStart = [...fleet.phases.values()].includes('broken')
      const failedToStop = fleet.stopFailures.length > 0
      const [stop, closed] = await stopped
      // A termination that comes with the failure of the stop it cuts short makes that count for nothing.
      if (!failedToStop || !terminated) expect(stop.status).toBe(failedToStop ? 'rejected' : 'fulfilled')
      if (stop.status === 'rejected') expect(closed.status).toBe('rejected')
      if (!failedToStart && !failedToStop) expect(closed.status).toBe('fulfilled')
      expect(['stopped', 'failed']).toContain(blueprint.state)
    }),
    { numRuns: 1000 },
  )
})
