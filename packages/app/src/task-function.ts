import type { TaskContext } from './task-context.ts'

// The function is inferred whole, not its arguments: a default's type then needs no annotation.
export type AnyFunction = (...args: never[]) => unknown
export type BoundFunction = (context: TaskContext<never>, ...args: never[]) => unknown
/** `(context, x: number) => …` → `[x: number]` */
export type BoundArgs<Run extends BoundFunction> = Run extends (
  context: TaskContext<never>,
  ...args: infer Args
) => unknown
  ? Args
  : never
