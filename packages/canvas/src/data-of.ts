import type { SignatureData } from '@celery/protocol'

/**
 * The data of a signature that a user has handed over.
 * @param where - what takes it: `chain()`, `link`
 * @throws TypeError for anything else, a task above all
 */
export function dataOf(value: unknown, where: string): SignatureData {
  const { taskName, toData } = (value ?? {}) as { readonly taskName?: unknown; readonly toData?: unknown }
  if (typeof toData === 'function') return (value as { toData(): SignatureData }).toData()
  if (typeof taskName === 'string') {
    throw new TypeError(`${where} takes signatures, not the task ${taskName} itself: call its s() with the arguments`)
  }
  const given = value === null ? 'null' : typeof value
  throw new TypeError(`${where} takes signatures, such as add.s(2), not ${given}`)
}
