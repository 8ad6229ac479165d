/** A task call as data: what travels in `callbacks`, `errbacks`, `chain` and `chord` (wire 1.3). Wire spelling. */
export interface SignatureData {
  readonly task: string
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
  readonly options: SignatureOptions
  /** `null` for a plain task; `chain`, `group`, `chord`, `xmap`, `xstarmap` or `chunks` for a composition. */
  readonly subtask_type: string | null
  /** Whether the parent's result is left out of the arguments (`si()`). */
  readonly immutable: boolean
  /** In the body of a chord from Celery 4.3 to 5.0: how many parts the chord has. */
  readonly chord_size?: number | null
}

export interface SignatureOptions {
  readonly task_id?: string
  readonly reply_to?: string
  readonly root_id?: string | null
  readonly parent_id?: string | null
  readonly group_id?: string | null
  readonly group_index?: number | null
  readonly queue?: string
  readonly exchange?: string
  readonly routing_key?: string
  readonly priority?: number
  readonly countdown?: number
  readonly eta?: string
  readonly expires?: number | string
  readonly serializer?: string
  readonly time_limit?: number
  readonly soft_time_limit?: number
  readonly ignore_result?: boolean
  readonly headers?: Readonly<Record<string, unknown>>
  readonly link?: readonly SignatureData[]
  readonly link_error?: readonly SignatureData[]
  readonly chord?: SignatureData
  readonly [extra: string]: unknown
}
