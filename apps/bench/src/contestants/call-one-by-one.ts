import { percentile } from '../statistics.ts'
import type { Readings } from '../suite.ts'
import type { declareTasks } from '../tasks.ts'

const warmUpCalls = 20

/** Milliseconds from the call to its result, each call after the one before. */
export async function callOneByOne(
  { echo }: Pick<ReturnType<typeof declareTasks>, 'echo'>,
  calls: number,
): Promise<number[]> {
  const durations: number[] = []
  for (let index = -warmUpCalls; index < calls; index++) {
    const startedAt = performance.now()
    const value = await (await echo.delay(index)).get({ timeout: 30 })
    if (value !== index) throw new Error(`echo of ${index} gave ${value}`)
    if (index >= 0) durations.push(performance.now() - startedAt)
  }
  return durations
}

/** `p50` and `p99`, in milliseconds. */
export function roundTripReadings(durations: readonly number[]): Readings {
  return { p50: percentile(durations, 50), p99: percentile(durations, 99) }
}
