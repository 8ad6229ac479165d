/** What the module of a measured process is made of. */
import { readSync } from 'node:fs'

export interface MeasuredHandlers<Command> {
  readonly onCommand: (command: Command) => unknown
  /** Whoever drives this process is done with it, or gone. */
  readonly onEnd: () => Promise<void>
}

/** What the process was started with. */
export function startArgument<Argument>(): Argument {
  return JSON.parse(process.argv[2] ?? 'null') as Argument
}

/** What a piece of work took. */
export interface Spent {
  readonly seconds: number
  /** Processor time of this process, all of its threads, in seconds: it tells more where other programs are busy too. */
  readonly processorSeconds: number
  /** When it began, in microseconds of the machine's monotonic clock, which all of its processes share. */
  readonly startedAtMicros: number
}

/** Starts to measure; the function that it returns says what was spent since. */
export function stopwatch(): () => Spent {
  const startedAt = performance.now()
  const startedAtMicros = Number(process.hrtime.bigint() / 1_000n)
  const before = process.cpuUsage()
  return () => {
    const { system, user } = process.cpuUsage(before)
    return {
      seconds: (performance.now() - startedAt) / 1_000,
      processorSeconds: (user + system) / 1e6,
      startedAtMicros,
    }
  }
}

/** Says that this process is ready, and carries out commands one after the other; what they return is the answer. */
export function serve<Command>({ onCommand, onEnd }: MeasuredHandlers<Command>): void {
  process.on('message', (command) => {
    // Nobody is there to handle a failure here: it ends the process, which the driver notices.
    void Promise.resolve(onCommand(command as Command)).then((answer) => process.send?.(answer as object))
  })
  process.once('disconnect', () => void onEnd().then(() => process.exit()))
  process.send?.('ready')
}

/**
 * Tells the driver that the process stands still, and stands still, its event loop too, until it is released. So work
 * can be put before it that it cannot take yet.
 */
export async function waitForStart(): Promise<void> {
  await new Promise<void>((resolve) => process.send?.('waiting', undefined, undefined, () => resolve()))
  const byte = Buffer.alloc(1)
  // Nothing to read means that the driver is gone.
  if (readSync(0, byte) === 0) process.exit(1)
}
