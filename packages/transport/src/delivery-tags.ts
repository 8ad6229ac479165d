import { randomBytes } from 'node:crypto'

/**
 * Makes tags that no other connection makes: 96 random bits drawn once, and a count. As unique as a random id for each
 * message, at a fraction of the time. Tags of one maker are in alphabetical order, so that a broker with an index over
 * them writes to one place in it.
 */
export function deliveryTags(): () => string {
  const prefix = randomBytes(12).toString('base64url')
  let count = 0
  return () => `${prefix}.${(count++).toString(36).padStart(8, '0')}`
}
