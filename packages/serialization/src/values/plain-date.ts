import { type CalendarFields, checkCalendar, formatCalendar, parseCalendar } from './iso-time.ts'

/** A `date` of Python: a day of the calendar, without time or zone. */
export class PlainDate {
  readonly year: number
  /** From 1. */
  readonly month: number
  readonly day: number

  /** @param text `2024-01-02` @throws RangeError where it is no date of the years 1 to 9999. */
  constructor(text: string) {
    const { year, month, day } = parseCalendar(text)
    this.year = year
    this.month = month
    this.day = day
  }

  /** @throws RangeError where there is no such day. */
  static of(fields: CalendarFields): PlainDate {
    return new PlainDate(formatCalendar(checkCalendar(fields)))
  }

  /** `2024-01-02` */
  toString(): string {
    return formatCalendar(this)
  }

  toJSON(): string {
    return this.toString()
  }
}
