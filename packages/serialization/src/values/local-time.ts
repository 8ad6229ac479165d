/**
 * From a time in an IANA zone, in milliseconds as if it were UTC, to milliseconds since 1970. Of a time that the zone has
 * twice it is the first; one that it skips is as much later as the gap is long.
 * @throws RangeError for a zone that nobody knows.
 */
export function localTime(timeZone: string): (localMs: number) => number {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    era: 'short',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
    hourCycle: 'h23',
  })
  const offsetAt = (ms: number): number => {
    const parts = new Map(format.formatToParts(ms).map(({ type, value }) => [type, value]))
    const number = (type: Intl.DateTimeFormatPartTypes): number => Number(parts.get(type))
    const year = parts.get('era') === 'BC' ? 1 - number('year') : number('year')
    const shown = new Date(0)
    shown.setUTCFullYear(year, number('month') - 1, number('day'))
    shown.setUTCHours(number('hour'), number('minute'), number('second'))
    return shown.getTime() - Math.floor(ms / 1_000) * 1_000
  }
  return (localMs) => {
    const day = 86_400_000
    const [before, after] = [offsetAt(localMs - day), offsetAt(localMs + day)]
    return before === after || offsetAt(localMs - before) === before || offsetAt(localMs - after) !== after
      ? localMs - before
      : localMs - after
  }
}
