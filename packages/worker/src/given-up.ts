import type { PendingSettlement } from '@celery/messaging'
import type { RefusableEnd } from './outcome-settler.ts'

export type GivenUp = Pick<PendingSettlement<RefusableEnd>, 'about' | 'settlement'>

/** Titles that a log line names. */
const mostTitles = 10

/**
 * What a stop says of settlements that the broker did not answer. Those with a message come again with it; what stood
 * alone, because the message had been acknowledged early, is gone unless just the answer was.
 */
export function describeGivenUp(givenUp: readonly GivenUp[]): string {
  const count = (items: readonly unknown[], noun: string): string =>
    `${items.length} ${noun}${items.length === 1 ? '' : 's'}`
  const again = givenUp.filter(({ settlement }) => settlement.delivery !== undefined)
  const ends = givenUp.flatMap(({ about, settlement }) =>
    settlement.delivery === undefined && about ? [about.end] : [],
  )
  const parts = [`${count(givenUp, 'settlement')} could not be told to the broker`]
  if (again.length > 0) parts.push(`of ${count(again, 'message')} what it still holds is delivered again`)
  const lost = ends.filter((end) => end.write !== undefined && end.task !== undefined)
  if (lost.length > 0) parts.push(`${count(lost, 'result')} may be lost, acknowledged early: ${titlesOf(lost)}`)
  const unsent = ends.filter((end) => end.publish !== undefined && end.task !== undefined)
  if (unsent.length > 0) parts.push(`what follows may not have been sent, acknowledged early: ${titlesOf(unsent)}`)
  return parts.join('; ')
}

function titlesOf(ends: readonly RefusableEnd['end'][]): string {
  const more = ends.length - mostTitles
  const titles = ends.slice(0, mostTitles).map(({ task }) => task?.title)
  return titles.join(', ') + (more > 0 ? ` and ${more} more` : '')
}
