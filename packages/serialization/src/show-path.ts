import { quote } from '@celery/promises'

/**
 * `$.args[0].when`, cut after a few steps: a value that contains itself has a long one. Keys that are no plain names stand
 * in quotes: `$.kwargs["first name"]`.
 */
export function showPath(path: readonly (string | number)[]): string {
  const steps = path.slice(0, 8).map((step) => (typeof step === 'number' ? `[${step}]` : showKey(step)))
  return `$${steps.join('')}${path.length > 8 ? '…' : ''}`
}

function showKey(key: string): string {
  return /^[\p{L}\p{N}_$-]+$/u.test(key) ? `.${key.slice(0, 40)}` : `[${quote(key, 40)}]`
}
