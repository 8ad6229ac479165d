import { AssertionError } from 'node:assert'
import { inspect } from 'node:util'
import type { AnyArgs } from '@celery/canvas'
import { withDeadline } from '@celery/promises'
import type { Activity } from './activity.ts'
import { CallSite } from './call-site.ts'
import { expectedSteps, type SentMatch, SentMatcher } from './match-sent.ts'
import type { Codecs, SentTask } from './sent-task.ts'

/** What names a task: itself, or its name. */
export type TaskRef<Args extends AnyArgs, Kwargs> = string | NamedTask<Args, Kwargs>

/** As much of a task as says its name and what it may be called with. */
export interface NamedTask<Args extends AnyArgs, Kwargs> {
  readonly taskName: string
  si(...args: Args): unknown
  applyAsync(args: Partial<Args>, options: { readonly kwargs: Kwargs }): unknown
}

export interface SentLogOptions {
  readonly codecs: Codecs
  readonly activity: Activity
}

/** Calls listed in the message of a failed expectation. */
const mostListed = 20

/** Everything that was sent, and what a test expects of it. */
export class SentLog {
  readonly all: SentTask[] = []
  readonly #activity: Activity
  readonly #matcher: SentMatcher

  constructor({ activity, codecs }: SentLogOptions) {
    this.#activity = activity
    this.#matcher = new SentMatcher(codecs.serializers)
  }

  find<Args extends AnyArgs, Kwargs>(
    task: TaskRef<Args, Kwargs>,
    match: SentMatch<Args, Kwargs>,
  ): readonly SentTask<Args>[] {
    return this.#of(nameOf(task)).filter(
      (sent) => this.#matcher.mismatches(sent, match as SentMatch).length === 0,
    ) as unknown as readonly SentTask<Args>[]
  }

  /** @throws AssertionError */
  expectSent<Args extends AnyArgs, Kwargs>(
    task: TaskRef<Args, Kwargs>,
    match: SentMatch<Args, Kwargs>,
    caller: Caller,
  ): SentTask<Args> {
    const [first] = this.find(task, match)
    if (first !== undefined) return first
    throw this.#notSent(nameOf(task), match as SentMatch, caller)
  }

  /** @throws AssertionError */
  expectNotSent<Args extends AnyArgs, Kwargs>(
    task: TaskRef<Args, Kwargs> | undefined,
    match: SentMatch<Args, Kwargs>,
    caller: Caller,
  ): void {
    const found = task === undefined ? this.all : this.find(task, match)
    if (found.length === 0) return
    const what =
      task === undefined ? 'nothing was to be sent' : `${wanted(nameOf(task), match as SentMatch)} was not to be sent`
    throw new AssertionError({
      message: `${what}, but ${found.length === 1 ? 'this was' : 'these were'}:\n${listed(found)}`,
      actual: found.map(describe),
      expected: [],
      operator: 'expectNotSent',
      stackStartFn: caller,
    })
  }

  /** @throws AssertionError at the deadline */
  async untilSent<Args extends AnyArgs, Kwargs>(
    task: TaskRef<Args, Kwargs>,
    match: SentMatch<Args, Kwargs>,
    timeoutMs: number,
    caller: Caller,
  ): Promise<SentTask<Args>> {
    const found = async (signal: AbortSignal): Promise<SentTask<Args>> => {
      for (;;) {
        const { next } = this.#activity
        const [first] = this.find(task, match)
        if (first !== undefined) return first
        await next
        signal.throwIfAborted()
      }
    }
    const site = new CallSite(caller)
    const when = ` within ${timeoutMs} ms`
    return withDeadline(found, timeoutMs, () => site.of(this.#notSent(nameOf(task), match as SentMatch, caller, when)))
  }

  #of(task: string): readonly SentTask[] {
    return this.all.filter((sent) => sent.task === task)
  }

  #notSent(task: string, match: SentMatch, caller: Caller, when = ''): AssertionError {
    const [closest, ...rest] = this.#of(task)
      .map((sent) => ({ sent, mismatches: this.#matcher.mismatches(sent, match) }))
      .sort((a, b) => a.mismatches.length - b.mismatches.length)
    const others = closest === undefined ? this.all : [closest, ...rest].map(({ sent }) => sent)
    const list =
      this.all.length === 0
        ? 'Nothing was sent.'
        : `Sent ${closest === undefined ? 'were' : 'of it were'}:\n${listed(others)}`
    const differing = closest === undefined ? '' : `The closest one differs in ${closest.mismatches.join(', ')}. `
    return new AssertionError({
      message: `${wanted(task, match)} was not sent${when}. ${differing}${list}`,
      // What test runners show as a difference: what was asked for, and the same of the call that comes closest.
      actual: closest === undefined ? undefined : { task, ...partOf(closest.sent, match) },
      expected: { task, ...readable(match) },
      operator: 'expectSent',
      stackStartFn: caller,
    })
  }
}

/** Whose frames a test runner is to leave out. */
export type Caller = (...args: never[]) => unknown

function nameOf<Args extends AnyArgs, Kwargs>(task: TaskRef<Args, Kwargs>): string {
  return typeof task === 'string' ? task : task.taskName
}

/** Of a call, what `match` speaks of. */
function partOf(sent: SentTask, match: SentMatch): object {
  return Object.fromEntries(
    Object.entries(match).map(([name, expected]) => {
      if (name === 'expires' && typeof expected === 'number' && sent.expires !== undefined) {
        return [name, (sent.expires.getTime() - sent.sentAt.getTime()) / 1_000]
      }
      return [name, sent[name as keyof SentMatch]]
    }),
  )
}

/** With signatures as what counts of them. */
function readable(match: SentMatch): object {
  const { chain, link, linkError } = match
  const steps = Object.entries({ link, linkError, chain }).filter(([, given]) => given !== undefined)
  return { ...match, ...Object.fromEntries(steps.map(([name, given]) => [name, expectedSteps(given)])) }
}

function wanted(task: string, match: SentMatch): string {
  const given = Object.keys(match).length === 0 ? '' : ` with ${show(readable(match))}`
  return `${task}${given}`
}

function listed(sent: readonly SentTask[]): string {
  const lines = sent.slice(0, mostListed).map((each, index) => `  ${index + 1}. ${describe(each)}`)
  if (sent.length > mostListed) lines.push(`  and ${sent.length - mostListed} more`)
  return lines.join('\n')
}

/** `tasks.add(2, y=3) to "celery" in 60 s, retry 1` */
function describe({ args, countdown, exchange, kwargs, queue, retries, task }: SentTask): string {
  const given = [...args.map(show), ...Object.entries(kwargs).map(([name, value]) => `${name}=${show(value)}`)]
  const where = exchange === '' ? `"${queue}"` : `exchange "${exchange}" as "${queue}"`
  const when = countdown === 0 ? '' : ` in ${countdown} s`
  const retry = retries === 0 ? '' : `, retry ${retries}`
  return `${task}(${given.join(', ')}) to ${where}${when}${retry}`
}

function show(value: unknown): string {
  return inspect(value, { depth: 4, breakLength: Number.POSITIVE_INFINITY, maxArrayLength: 20, maxStringLength: 200 })
}
