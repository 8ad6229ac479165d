import { parseArgs } from 'node:util'
import { type BrokerName, type Bug, brokers, bugs } from './setup.ts'

export interface FuzzOptions {
  readonly broker: BrokerName
  readonly cases: number
  readonly seed: number
  readonly batch: number
  /** Bytes straight at the decoders, instead of messages at a worker. */
  readonly decoders: boolean
  readonly bug: Bug | undefined
}

export const usage = `usage: npm run fuzz -- [option…]

  --broker NAME   sqlite, the embedded broker; redis, a private server     (sqlite)
  --cases N       spoiled messages, or with --decoders inputs of each     (20000)
  --seed S        where all random choices come from                      (by chance)
  --batch N       messages that are put before the next good task          (50)
  --decoders      bytes straight at every decoder, without a worker
  --bug NAME      a bug of the worker that has to be found: ${bugs.join(', ')}
`

/** The command line cannot be carried out as it is. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** @throws UsageError */
export function readOptions(args: readonly string[]): FuzzOptions {
  const { values } = parse(args)
  const number = (name: 'batch' | 'cases' | 'seed', fallback: number, least: number): number => {
    const text = values[name]
    if (text === undefined) return fallback
    const value = Number(text)
    if (Number.isSafeInteger(value) && value >= least) return value
    throw new UsageError(`--${name} must be a whole number of at least ${least}, not ${text}`)
  }
  const broker = brokers.find((each) => each === (values.broker ?? 'sqlite'))
  if (broker === undefined) throw new UsageError(`--broker must be one of ${brokers.join(', ')}, not ${values.broker}`)
  const bug = bugs.find((each) => each === values.bug)
  if (values.bug !== bug) throw new UsageError(`--bug must be one of ${bugs.join(', ')}, not ${values.bug}`)
  return {
    broker,
    cases: number('cases', 20_000, 1),
    seed: number('seed', Math.floor(Math.random() * 1_000_000), 0),
    batch: number('batch', 50, 1),
    decoders: values.decoders === true,
    bug,
  }
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  try {
    return parseArgs({
      args: [...args],
      options: { broker: text, cases: text, seed: text, batch: text, bug: text, decoders: flag },
    })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}
