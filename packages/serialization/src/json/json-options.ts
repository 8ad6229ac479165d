import type { MemoryOptions } from '../memory-budget.ts'

/** Content type of everything in this folder, for errors. */
export const JSON_TYPE = 'application/json'

export interface JsonOptions extends MemoryOptions {
  /**
   * Arrays and objects inside each other, at most; at most 1,000. Also what stops a value that contains itself.
   * @defaultValue `100`
   */
  readonly maxDepth?: number
  /**
   * Values that JSON has no word for, usually a `TypedValues`. Absent: what has `toJSON` is written as that says (a date
   * as text), bytes are refused, and tagged objects are read as the plain objects they are.
   */
  readonly types?: JsonTypes
}

/** How values that JSON cannot hold travel as `{"__type__": …, "__value__": …}`, as kombu 5.3 and later do. */
export interface JsonTypes {
  /**
   * Asked for every object that is not plain data, before its `toJSON`. Returns what to write for it, or `undefined` to
   * pass. Whatever it throws becomes the cause of an `EncodeError`.
   */
  replace(value: object): unknown
  /**
   * Asked for every decoded object whose keys are exactly `__type__` (text) and `__value__`.
   * Whatever it throws becomes the cause of a `DecodeError`.
   */
  revive(type: string, value: unknown): unknown
}

/** Recursion goes as deep as the data may, so there is an end to what can be asked for. */
export function depthLimit(options: JsonOptions | undefined): number {
  return Math.min(options?.maxDepth ?? 100, 1000)
}
