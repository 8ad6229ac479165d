/** Compiled, never run: what the types of results say of what `get()` gives. */
import type { AsyncResult, EagerResult } from './index.ts'

declare function same<Expected>(): <Actual>(value: Same<Actual, Expected>) => void
type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? A : { readonly 'not the same': [A, B] }
declare function gotOf<T>(result: { get(): Promise<T> }): T
declare const sent: AsyncResult<number>
declare const eager: EagerResult<string>
declare const maybe: boolean

same<Promise<number>>()(sent.get())
same<Promise<number>>()(sent.get({ timeout: 10, propagate: true }))
same<Promise<number | Error>>()(sent.get({ timeout: 10, propagate: false }))
same<Promise<string>>()(eager.get())
same<Promise<string | Error>>()(eager.get({ propagate: false }))
same<number>()(gotOf(sent))
// @ts-expect-error what it gives must be known when the program is written
void sent.get({ propagate: maybe })
// @ts-expect-error it may be an error
const count: Promise<number> = sent.get({ propagate: false })
void count
