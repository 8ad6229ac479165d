import { cpus, type as osType, release, totalmem } from 'node:os'

/** Where the numbers come from; they mean nothing without it. */
export interface Machine {
  readonly os: string
  readonly cpu: string
  readonly processors: number
  readonly memoryGiB: number
}

export function describeMachine(): Machine {
  const processors = cpus()
  return {
    os: `${osType()} ${release()}`,
    cpu: processors[0]?.model.trim() ?? 'unknown',
    processors: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
  }
}
