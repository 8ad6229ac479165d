import { Decimal } from './decimal.ts'
import { PlainDate } from './plain-date.ts'
import { TimeDelta } from './time-delta.ts'
import { TimeOfDay } from './time-of-day.ts'
import { Uuid } from './uuid.ts'

const CLASSES = [Date, Decimal, PlainDate, TimeDelta, TimeOfDay, Uuid] as const

/** Whether it is a value of a type that not every format has. */
export function isTypedValue(value: object): boolean {
  return CLASSES.some((type) => value instanceof type)
}
