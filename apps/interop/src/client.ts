import type { Language } from './setup.ts'

/** A call as data that either side's client can send. Arguments are native values. */
export interface Call {
  readonly task: string
  readonly args?: readonly unknown[]
  readonly kwargs?: Readonly<Record<string, unknown>>
  /** Celery's, in Python's spelling. Times are ISO 8601. */
  readonly options?: CallOptions
  /** As `.si()`: takes nothing from what comes before. */
  readonly immutable?: boolean
  readonly link?: readonly Call[]
  readonly linkError?: readonly Call[]
}

export interface CallOptions {
  readonly task_id?: string
  readonly queue?: string
  readonly exchange?: string
  readonly exchange_type?: 'topic' | 'direct'
  readonly routing_key?: string
  readonly serializer?: string
  readonly compression?: string
  readonly countdown?: number
  readonly eta?: string
  readonly expires?: string | number
  readonly priority?: number
  readonly time_limit?: number
  readonly soft_time_limit?: number
  readonly ignore_result?: boolean
  readonly shadow?: string
  readonly headers?: Readonly<Record<string, unknown>>
}

/** What a client reads of a task. */
export interface Outcome {
  readonly state: string
  /** Of a task that failed `null`. */
  readonly result: unknown
  readonly error: { readonly type: string; readonly message: string } | null
  readonly traceback: string | null
  /** Ids of the tasks that it sent. */
  readonly children: readonly string[]
  /** What is stored beside it where workers run with `result_extended`; else `null` each. */
  readonly extended: Readonly<Record<'name' | 'args' | 'kwargs' | 'worker' | 'retries' | 'queue', unknown>>
}

/** A program that sends tasks and reads their results, whatever language it is written in. */
export interface Client extends AsyncDisposable {
  readonly language: Language
  /** Resolves to the id. */
  send(call: Call): Promise<string>
  sendMany(calls: readonly Call[]): Promise<readonly string[]>
  /** Resolves to the ids of the steps, the first one first. */
  sendChain(calls: readonly Call[]): Promise<readonly string[]>
  /** What is known now. */
  outcome(id: string): Promise<Outcome>
  /** What it comes to, as soon as it has ended. Rejects when that takes too long. */
  wait(id: string): Promise<Outcome>
  /** The same without looking again: the store has to tell of it. */
  waitForNews(id: string): Promise<Outcome>
  waitAll(ids: readonly string[]): Promise<readonly Outcome[]>
  forget(id: string): Promise<void>
}
