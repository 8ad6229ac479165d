export interface Rates {
  /** Tasks ended per second before the first fault. */
  readonly calm: number
  /** Tasks ended per second from the first fault to the last. */
  readonly faulty: number
}

/** Compares the speed before the faults with that under faults. The first tenth of the calm phase warms up. */
export function compareRates(endTimes: readonly number[], faultTimes: readonly number[]): Rates | undefined {
  const ends = [...endTimes].sort((a, b) => a - b)
  const [begin, firstFault, lastFault] = [ends[0], faultTimes[0], faultTimes.at(-1)]
  if (begin === undefined || firstFault === undefined || lastFault === undefined) return undefined
  const calmBegin = begin + (firstFault - begin) / 10
  const rate = (from: number, to: number): number =>
    (ends.filter((time) => time >= from && time < to).length * 1_000) / (to - from)
  if (firstFault <= calmBegin || lastFault <= firstFault) return undefined
  return { calm: rate(calmBegin, firstFault), faulty: rate(firstFault, lastFault) }
}
