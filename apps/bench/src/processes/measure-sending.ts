import { type Spent, stopwatch } from './measured.ts'

/** What sending takes, in the two ways in which programs send. */
export interface SendingResult {
  /** Each when the one before is confirmed. */
  readonly oneByOne: Spent
  /** So many at the same time that there always is one to send. */
  readonly inFlight: Spent
}

/** A client of a queue. */
export interface Sender {
  /** Resolves when one more is confirmed. */
  send(): Promise<unknown>
  /** The same while many others are under way. @defaultValue `send` */
  sendOfMany?(): Promise<unknown>
  /** Removes what was sent. Not measured. */
  clear(): Promise<unknown>
}

const window = 1_000

export async function measureSending(
  { clear, send, sendOfMany = send }: Sender,
  tasks: number,
): Promise<SendingResult> {
  const oneByOneSpent = stopwatch()
  for (let left = tasks; left > 0; left--) await send()
  const oneByOne = oneByOneSpent()
  await clear()

  const inFlightSpent = stopwatch()
  await sendInFlight(tasks, sendOfMany)
  const inFlight = inFlightSpent()
  await clear()
  return { oneByOne, inFlight }
}

/** Calls `send` so many times; 1,000 of them are under way at any time, until the last are. */
async function sendInFlight(tasks: number, send: () => Promise<unknown>): Promise<void> {
  let left = tasks
  const lane = async (): Promise<void> => {
    while (left-- > 0) await send()
  }
  await Promise.all(Array.from({ length: Math.min(window, tasks) }, lane))
}
