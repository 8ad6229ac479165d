import type { TaskState } from './states.ts'

/** What a result store keeps for a task (wire 5.1). Wire spelling. */
export interface ResultRecord {
  readonly task_id: string
  readonly status: TaskState
  /** The value, the exception ({@link ExceptionForm}) or, for a custom state, its meta. */
  readonly result: unknown
  readonly traceback: string | null
  /** Result tuples of the tasks sent while it ran (wire 5.3). */
  readonly children: readonly unknown[] | null
  /** ISO 8601; `null` while not in a final state. */
  readonly date_done: string | null
  readonly group_id?: string
  readonly parent_id?: string
  readonly [extended: string]: unknown
}

/** An exception as the JSON result stores hold it (wire 5.2). */
export interface ExceptionForm {
  readonly exc_type: string
  /** The exception's arguments. */
  readonly exc_message: readonly unknown[]
  readonly exc_module: string | null
}
