/** Recognises apps of other installed copies of this package. */
export const appBrand: unique symbol = Symbol.for('celery.app')

/** Whether `value` is an app; asked here, so that whoever asks need not load all that an app is made of. */
export function isBranded(value: unknown): boolean {
  return typeof value === 'object' && value !== null && appBrand in value
}
