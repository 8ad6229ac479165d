import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')

/** Collects what nobody needs any more. */
export const collectGarbage = runInNewContext('gc') as () => void

/** Memory of values that are still in use. */
export function heapBytes(): number {
  collectGarbage()
  const { external, heapUsed } = process.memoryUsage()
  return heapUsed + external
}
