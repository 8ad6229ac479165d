import { closestName } from './closest-name.ts'

/**
 * What an error about a URL of an unknown scheme says besides, where the scheme is one of those that a driver is still to
 * be made for: `: there is no driver for Redis in this release`. Otherwise nothing, also where a driver with a name much
 * like it is registered: that is the one which is meant.
 *
 * @param notYet - What is behind each of those schemes.
 */
export function sayNotYet(scheme: string, known: readonly string[], notYet: Readonly<Record<string, string>>): string {
  if (!Object.hasOwn(notYet, scheme) || closestName(scheme, known) !== undefined) return ''
  return `: there is no driver for ${notYet[scheme]} in this release`
}
