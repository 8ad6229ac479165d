import type { Spent } from '../processes/measured.ts'
import type { Readings } from '../suite.ts'

/** `rate` in tasks per second, and `processorMicros`, what the measuring process spent on each. */
export function drainReadings(tasks: number, { processorSeconds, seconds }: Spent): Readings {
  return { rate: tasks / seconds, processorMicros: (processorSeconds * 1e6) / tasks }
}
