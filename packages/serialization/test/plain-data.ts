import fc from 'fast-check'
import { DateTime, Decimal, PlainDate, TimeDelta, TimeOfDay, Uuid } from '../src/index.ts'

const digits = (count: number): fc.Arbitrary<string> =>
  fc.nat(10 ** count - 1).map((number) => String(number).padStart(count, '0'))

const calendar = fc
  .date({ min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true })
  .map((date) => date.toISOString().slice(0, 10))
const clock = fc.tuple(fc.nat(86_399), fc.option(digits(6))).map(([second, fraction]) => {
  const time = new Date(second * 1000).toISOString().slice(11, 19)
  return fraction === null ? time : `${time}.${fraction}`
})
const offset = fc.option(fc.integer({ min: -1439, max: 1439 }), { nil: undefined }).map((minutes) => {
  if (minutes === undefined) return ''
  const part = (value: number): string => String(Math.floor(value)).padStart(2, '0')
  return `${minutes < 0 ? '-' : '+'}${part(Math.abs(minutes) / 60)}:${part(Math.abs(minutes) % 60)}`
})

/** Times as they are read: a `DateTime` only where it says more than a `Date`. */
export const dateTimes: fc.Arbitrary<Date> = fc.oneof(
  fc.date({ min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true }),
  fc.tuple(calendar, clock, offset).map(([date, time, zone]) => {
    const exact = new DateTime(`${date}T${time}${zone}`)
    return exact.offsetSeconds === 0 && exact.microsecond % 1000 === 0 ? new Date(exact.getTime()) : exact
  }),
)
export const dates: fc.Arbitrary<PlainDate> = calendar.map((date) => new PlainDate(date))
export const times: fc.Arbitrary<TimeOfDay> = fc.tuple(clock, offset).map(([time, zone]) => new TimeOfDay(time + zone))
export const deltas: fc.Arbitrary<TimeDelta> = fc
  .tuple(fc.integer({ min: -999_999_999, max: 999_999_999 }), fc.nat(86_399), fc.nat(999_999))
  .map((parts) => new TimeDelta(...parts))
export const decimals: fc.Arbitrary<Decimal> = fc
  .tuple(fc.bigInt(), fc.nat(20), fc.integer({ min: -50, max: 50 }))
  .map(([integer, fraction, exponent]) => new Decimal(`${integer}.${fraction}E${exponent < 0 ? '' : '+'}${exponent}`))
export const uuids: fc.Arbitrary<Uuid> = fc.uuid().map((text) => new Uuid(text))
export const byteArrays: fc.Arbitrary<Uint8Array> = fc.uint8Array()

/** Integers as they are read: `bigint` beyond 2^53 only. */
export const integers = (bits: number): fc.Arbitrary<number | bigint> =>
  fc
    .bigInt({ min: -(2n ** BigInt(bits - 1)), max: 2n ** BigInt(bits - 1) })
    .map((integer) => (Number.isSafeInteger(Number(integer)) ? Number(integer) : integer))

/** Text, with every character there is; halves of surrogate pairs where asked for. */
export const texts = (withHalves: boolean): fc.Arbitrary<string> =>
  withHalves
    ? fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) })
    : fc.string({ unit: 'binary' })

/** Lists and dicts of such values, with hostile keys among the others. */
export function trees(leaves: readonly fc.Arbitrary<unknown>[]): fc.Arbitrary<unknown> {
  return fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      ...leaves,
      fc.constant(null),
      fc.boolean(),
      fc.array(tie('value')),
      fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'yes', '<<', '')), tie('value'), {
        noNullPrototype: true,
      }),
    ),
  })).value
}
