import { parseArgs } from 'node:util'

export interface InteropOptions {
  /** Only cells whose line holds this text. */
  readonly only: string | undefined
  /** Leaves the server running when a cell has failed. */
  readonly keep: boolean
  /** Without the cells that take long. */
  readonly short: boolean
  /** Python beside Python. */
  readonly selfCheck: boolean
}

export const usage = `usage: npm run interop -- [option…]

  --only PATTERN   cells whose direction and name match this regular expression      (all)
  --short          leaves out what starts further workers or waits
  --self-check     Python's client and Python's worker: what fails then is asked wrongly
  --keep           when a cell has failed, waits for Ctrl-C with the server running
`

/** The command line cannot be carried out as it is. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** @throws UsageError */
export function readOptions(args: readonly string[]): InteropOptions {
  const flag = { type: 'boolean', default: false } as const
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { only: { type: 'string' }, keep: flag, short: flag, 'self-check': flag },
    })
    const { keep, only, short } = values
    if (only !== undefined) new RegExp(only)
    return { only, keep, short, selfCheck: values['self-check'] }
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}
