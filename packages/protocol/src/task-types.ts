import type { SignatureData } from './signature-data.ts'

/** The headers of a protocol 2 task message, decoded (wire 1.1). Wire spelling. */
export interface TaskHeaders {
  readonly lang: string
  readonly task: string
  readonly id: string
  readonly shadow: string | null
  /** ISO 8601; not run before. */
  readonly eta: string | null
  /** ISO 8601; not run after. */
  readonly expires: string | null
  readonly group: string | null
  readonly group_index: number | null
  readonly retries: number
  /** Seconds, hard limit first. */
  readonly timelimit: readonly [hard: number | null, soft: number | null]
  readonly root_id: string
  readonly parent_id: string | null
  readonly argsrepr: string
  readonly kwargsrepr: string
  /** `gen<pid>@<host>` of the sender. */
  readonly origin: string
  readonly ignore_result: boolean | null
  readonly replaced_task_nesting: number
  readonly stamped_headers: readonly string[] | null
  readonly stamps: Readonly<Record<string, unknown>>
  readonly compression?: string
  /** Headers of the user, merged at the top level. */
  readonly [custom: string]: unknown
}

/** The decoded body of a task message: `[args, kwargs, embed]`. */
export interface TaskBody {
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
  readonly embed: TaskEmbed
}

export interface TaskEmbed {
  /** Called with the result after success. */
  readonly callbacks: readonly SignatureData[] | null
  /** Called after failure. */
  readonly errbacks: readonly SignatureData[] | null
  /** The steps still to come, the next one LAST. */
  readonly chain: readonly SignatureData[] | null
  readonly chord: SignatureData | null
}
