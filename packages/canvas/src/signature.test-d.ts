/** Compiled, never run: what the types of signatures accept and refuse. */
import type { AsyncResult } from '@celery/results'
import {
  type AnyArgs,
  chain,
  createSignature,
  type GivenArgs,
  type MissingArgs,
  type Signature,
  signature,
} from './index.ts'

/** What `app.task()` gives to a function: this is how its `s` and `si` are typed. */
interface TaskOf<Args extends AnyArgs, Result> {
  s<const Given extends GivenArgs<Args>>(...given: Given): Signature<MissingArgs<Args, Given>, Result, false>
  si(...args: Args): Signature<[], Result, true>
}

declare function task<Run extends (...args: never[]) => unknown>(
  run: Run,
): TaskOf<Parameters<Run>, Awaited<ReturnType<Run>>>
declare function same<Expected>(): <Actual>(value: Same<Actual, Expected>) => void
type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? A : { readonly 'not the same': [A, B] }
declare function show<T>(): T

const add = task((x: number, y: number) => x + y)
const double = task(async (x: number) => x * 2)
const text = task((n: number) => `n=${n}`)
const greet = task((name: string, greeting?: string, ...marks: boolean[]) => `${greeting} ${name}${marks.length}`)
const scale = task((x: number, factor = 2) => x * factor)
const sum = task((first: number, ...rest: number[]) => rest.reduce((a, b) => a + b, first))
const ping = task(() => 'pong')
const note = task((_message: string) => {})

// What may be given, and what is missing then.

same<Signature<[x: number, y: number], number, false>>()(add.s())
same<Signature<[x: number], number, false>>()(add.s(4))
same<Signature<[], number, false>>()(add.s(2, 2))
same<Signature<[], number, true>>()(add.si(2, 2))
same<Signature<[] | [x: number], number, false>>()(scale.s(3))
same<Signature<[], string, false>>()(ping.s())
// @ts-expect-error add takes numbers
add.s('4')
// @ts-expect-error two at most
add.s(1, 2, 3)
// @ts-expect-error the first argument is a number too
add.s('2', 2)
// @ts-expect-error an immutable signature is complete
add.si(2)
// @ts-expect-error ping takes nothing
ping.s(1)

same<[] | [y: string] | [x: number] | [x: number, y: string]>()(show<GivenArgs<[x: number, y?: string]>>())
same<[x: number]>()(show<MissingArgs<[x: number, y?: string], ['a']>>())
same<never>()(show<MissingArgs<[x: number, y: string], [4]>>())
greet.s(true, false)
greet.s('hello', true)
greet.s('ann', 'hello', true)
// @ts-expect-error a mark is no greeting
greet.s(4)
// @ts-expect-error the marks come last
greet.s(true, 'hello')
sum.s(1, 2, 3)
// @ts-expect-error all are numbers
sum.s(1, '2')

// Calling.

const eight: Promise<AsyncResult<number>> = add.s(4).delay(4)
void eight
void add.s(2, 2).applyAsync()
void add.s(4).applyAsync([4], { countdown: 10, queue: 'q' })
void add.s().applyAsync([], { kwargs: { x: 2, y: 2 } })
same<Promise<number>>()(add.s(2, 2).callAndGet({ timeout: 10 }))
same<Promise<number | Error>>()(add.s(2, 2).callAndGet({ propagate: false }))
void scale.s(3).delay()
void scale.s(3).delay(1)
// @ts-expect-error one is missing
void add.s(4).delay()
// @ts-expect-error one only
void add.s(4).delay(1, 2)
// @ts-expect-error it is a number
void add.s(4).delay('4')
// @ts-expect-error nothing is missing
void add.s(2, 2).delay(1)
// @ts-expect-error one is missing
void add.s(4).applyAsync()
// @ts-expect-error one is missing
void add.s(4).applyAsync([], { countdown: 10 })
// @ts-expect-error there is no such option
void add.s(2, 2).applyAsync([], { countDown: 10 })
// @ts-expect-error only a complete one can be called and waited for
void add.s(4).callAndGet()
// @ts-expect-error a time in seconds
add.s().set({ countdown: '10' })
// @ts-expect-error one more is missing
void scale.s().delay()
// @ts-expect-error the result is a number
const wrong: Promise<AsyncResult<string>> = add.s(4).delay(4)
void wrong

// One after the other.

same<Signature<[], string, false>>()(add.s(2, 2).pipe(add.s(4)).pipe(text.s()))
add.s(2, 2).pipe(add.si(1, 1))
add.s(2, 2).pipe(scale.s())
add.s(2, 2).pipe(sum.s(1, 2, 3))
add.s(2, 2).pipe(double.s()).pipe(text.s()).pipe(note.s())
note.s('x').pipe(ping.si())
// @ts-expect-error a complete one has no place for the result: si()
add.s(2, 2).pipe(add.s(4, 4))
// @ts-expect-error it misses two
add.s(2, 2).pipe(add.s())
// @ts-expect-error text gives a string, add wants a number
add.s(2, 2).pipe(text.s()).pipe(add.s(4))
// @ts-expect-error ping has no place for a result
add.s(2, 2).pipe(ping.s())
// @ts-expect-error note gives nothing that text could take
note.s('x').pipe(text.s())
// @ts-expect-error a task is not its signature
add.s(2, 2).pipe(double)

same<Signature<[], string, false>>()(chain(add.s(2, 2), add.s(4), text.s()))
same<Signature<[x: number], number, false>>()(chain(add.s(4), add.si(1, 1), double.s(), scale.s(3)))
same<Signature<[], string, false>>()(
  chain(double.s(1), double.s(), double.s(), double.s(), double.s(), double.s(), double.s(), text.s()),
)
chain(add.s(2, 2), chain(add.s(4), text.s()), note.s())
chain([add.s(2, 2), text.s()])
// @ts-expect-error text gives a string, add wants a number
chain(add.s(2, 2), text.s(), add.s(4))
// @ts-expect-error a complete one has no place for the result
chain(add.s(2, 2), add.s(4, 4))
// @ts-expect-error it misses two
chain(add.s(2, 2), add.s(), text.s())
// @ts-expect-error the first step misses one
void chain(add.s(4), text.s()).delay()
// @ts-expect-error there must be a step
chain()
// @ts-expect-error the inner chain takes a number
chain(ping.s(), chain(add.s(4), text.s()))

// @ts-expect-error chain() takes signatures
chain(add.s(2, 2), 4)
// @ts-expect-error the eighth step takes a number, and gets text
chain(double.s(1), double.s(), double.s(), double.s(), double.s(), double.s(), text.s(), text.s())

// Callbacks and errbacks.

add.s(2, 2).link(text.s()).linkError(note.s()).onError(ping.si())
add.s(4).link(chain(add.s(4), text.s()))
// @ts-expect-error the result is a number, note wants a string
add.s(2, 2).link(note.s())
// @ts-expect-error it has no place for the result
add.s(2, 2).link(ping.s())
// @ts-expect-error an errback gets an id, which is text
add.s(2, 2).linkError(double.s())
// @ts-expect-error it misses one besides the id
add.s(2, 2).linkError(task((_id: string, _more: number) => {}).s())

// Copies.

same<Signature<[], number, false>>()(add.s(4).clone([2]))
same<Signature<[x: number, y: number], number, false>>()(add.s().clone())
same<Signature<[x: number], number, false>>()(add.s().clone([2], { queue: 'q' }))
// @ts-expect-error it is a number
add.s(4).clone(['2'])
// @ts-expect-error one is missing, not two
add.s(4).clone([1, 2])

// Tasks known by name only, and signatures as parameters.

const far = signature<number>('proj.far', [1, 'x'])
void far.delay('anything', {})
add.s(2, 2).pipe(far).pipe(text.s())
signature('proj.unknown').pipe(signature('proj.other'))
const typed: Signature<[x: number], number> = createSignature<[x: number], number, false>('t', [1], {
  immutable: false,
})
void typed
const narrower: Signature<[x: 4], number> = add.s(4)
void narrower
// @ts-expect-error what it results in is not known
signature('proj.unknown').pipe(text.s())
// @ts-expect-error it does not take text
const wider: Signature<[x: number | string], number> = add.s(4)
void wider
// @ts-expect-error it is not immutable
const fixed: Signature<[], number, true> = add.s(2, 2)
void fixed
// @ts-expect-error it has no then
add.s(2, 2).then(() => {})
const handle = add.s(2, 2).freeze()
// @ts-expect-error nor has the handle on its result
handle.then(() => {})
// @ts-expect-error the handle gives a number
const gives: AsyncResult<string> = add.s(2, 2).freeze()
void gives
// @ts-expect-error priority is a number
signature('t', [], { priority: 'high' })
