import type { TaskContext } from './task-context.ts'

// The function is inferred whole, not its arguments: a default's type then needs no annotation.
export type AnyFunction = (...args: never[]) => unknown
/**
 * Gives the first parameter a type, where the function leaves that open, and does not give it a default: such a one fits the
 * first form too, and of two the compiler takes neither.
 */
export type UnboundFunction = (() => unknown) | ((context: ContextComesWithBindTrue, ...args: never[]) => unknown)
export type BoundFunction = (context: TaskContext<never>, ...args: never[]) => unknown
/** `(context, x: number) => …` → `[x: number]` */
export type BoundArgs<Run extends BoundFunction> = Run extends (
  context: TaskContext<never>,
  ...args: infer Args
) => unknown
  ? Args
  : never

/** What a call gives to the function of a task: all its parameters, but the context of a bound one. */
export type ArgsOf<Run extends AnyFunction, Bind extends boolean> = Bind extends true
  ? Run extends BoundFunction
    ? BoundArgs<Run>
    : never
  : Parameters<Run>

/** What a task returns when it is called: its schema may be asynchronous. */
export type Checked<Returned> = Returned | Promise<Awaited<Returned>>

declare const missing: unique symbol

/** What is seen in place of the context that a task has only with `bind: true` among its options. */
export interface ContextComesWithBindTrue {
  readonly [missing]: never
}
