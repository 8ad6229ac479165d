/** `$.args[0].when`, cut after a few steps: a value that contains itself has a long one. */
export function showPath(path: readonly (string | number)[]): string {
  const steps = path.slice(0, 8).map((step) => (typeof step === 'number' ? `[${step}]` : `.${step.slice(0, 40)}`))
  return `$${steps.join('')}${path.length > 8 ? '…' : ''}`
}
