/** The arguments of a call, of a task or of a signature. */
export type AnyArgs = readonly unknown[]

/**
 * What may be given to a signature early: the end of the argument list, as the result of the step before goes in front.
 *
 * `[x: number, y?: string]` → `[] | [x: number] | [y: string] | [x: number, y: string]`
 */
export type GivenArgs<Args extends AnyArgs> = Args extends unknown
  ? number extends Args['length']
    ? Ends<Required<Args>> | Ends<Calls<Args, Fixed<Required<Args>>>>
    : Ends<Calls<Args, Required<Args>>>
  : never

/**
 * What is missing when the arguments end in `Given`: every list which, put in front, makes a call of the task.
 *
 * `[x: number, y: number]`, `[4]` → `[x: number]`;
 * `[x: number, y?: number]`, `[4]` → `[] | [x: number]`;
 * `[x: number, ...rest: string[]]`, `['a']` → `[x: number, ...rest: string[]]`
 */
export type MissingArgs<Args extends AnyArgs, Given extends AnyArgs> = Args extends unknown
  ? number extends Args['length']
    ? MissingOpen<Fixed<Required<Args>>, Rest<Required<Args>>, Given> | Cut<Calls<Args, Fixed<Required<Args>>>, Given>
    : Cut<Calls<Args, Required<Args>>, Given>
  : never

/** Every fixed length that `Args` may have: `[x, y?]` with `Full` `[x, y]` → `[x, y] | [x]`. */
type Calls<Args extends AnyArgs, Full extends AnyArgs> = Full extends Args
  ? Full | (Full extends readonly [...infer Init, unknown] ? Calls<Args, Init> : never)
  : never

/** `[x, y]` → `[x, y] | [y] | []` */
type Ends<Args extends AnyArgs> = Args | (Args extends readonly [unknown, ...infer Tail] ? Ends<Tail> : never)

/** `[x, ...string[]]` → `[x]` */
type Fixed<Args extends AnyArgs, Found extends AnyArgs = []> = Args extends readonly [infer Head, ...infer Tail]
  ? Fixed<Tail, [...Found, Head]>
  : Found

/** `[x, ...string[]]` → `string[]` */
type Rest<Args extends AnyArgs> = Args extends readonly [unknown, ...infer Tail] ? Rest<Tail> : Args

/** `Args` without its end, if that accepts `Given`: `[x: string, y: number]`, `[4]` → `[x: string]`. */
type Cut<Args extends AnyArgs, Given extends AnyArgs> = Given extends readonly [...infer GivenInit, infer GivenLast]
  ? Args extends readonly [...infer Init, infer Last]
    ? [GivenLast] extends [Last]
      ? Cut<Init, GivenInit>
      : never
    : never
  : Args

/** {@link MissingArgs} of `[...Fixed, ...Rest]`: any number at the end of `Given` may belong to the rest. */
type MissingOpen<FixedArgs extends AnyArgs, RestArgs extends AnyArgs, Given extends AnyArgs> =
  | Cut<FixedArgs, Given>
  | (Given extends readonly [...infer Init, infer Last]
      ? [Last] extends [RestArgs[number]]
        ? MissingOpen<FixedArgs, RestArgs, Init>
        : never
      : [...FixedArgs, ...RestArgs])
