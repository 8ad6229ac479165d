import type { Readings } from '../suite.ts'
import type { Workload } from '../workloads.ts'

export interface DrainedWorkload {
  readonly tasks: number
  readonly seconds: number
  /** Processor time of the worker's processes, in seconds, where the platform tells. */
  readonly before: number | undefined
  readonly after: number | undefined
}

/** `<workload>Rate` in tasks per second, `…Micros` per task, and `…ProcessorMicros`, what all processes spent on each. */
export function workloadReadings({ name }: Workload, { after, before, seconds, tasks }: DrainedWorkload): Readings {
  return {
    [`${name}Rate`]: tasks / seconds,
    [`${name}Micros`]: (seconds * 1e6) / tasks,
    ...(before === undefined || after === undefined
      ? {}
      : { [`${name}ProcessorMicros`]: ((after - before) * 1e6) / tasks }),
  }
}
