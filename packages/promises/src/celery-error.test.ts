import { describe, expect, test } from 'vitest'
import { CeleryError } from './celery-error.ts'

class LostError extends CeleryError {
  override readonly name = 'LostError'
  readonly code = 'ERR_CELERY_LOST'
}

describe('CeleryError.is', () => {
  test('knows an error of its own copy, and its code', () => {
    expect(CeleryError.is(new LostError('lost'))).toBe(true)
    expect(CeleryError.is(new LostError('lost'), 'ERR_CELERY_LOST')).toBe(true)
    expect(CeleryError.is(new LostError('lost'), 'ERR_CELERY_FOUND')).toBe(false)
  })

  test('knows an error of another installed copy', async () => {
    // A query makes the module loader evaluate the file again, as a second installation would.
    const specifier = './celery-error.ts?second-copy'
    const copy: typeof import('./celery-error.ts') = await import(/* @vite-ignore */ specifier)
    class OtherError extends copy.CeleryError {
      readonly code = 'ERR_CELERY_OTHER'
    }
    const error = new OtherError('other')
    expect(error).not.toBeInstanceOf(CeleryError)
    expect(CeleryError.is(error, 'ERR_CELERY_OTHER')).toBe(true)
  })

  test('says no to foreign errors and to things that are no error', () => {
    expect(CeleryError.is(Object.assign(new Error('x'), { code: 'ERR_CELERY_LOST' }))).toBe(false)
    expect(CeleryError.is({ code: 'ERR_CELERY_LOST' })).toBe(false)
    expect(CeleryError.is(undefined)).toBe(false)
  })

  test('does not show its mark among the properties of an error', () => {
    expect(Object.keys(new LostError('lost'))).toEqual(['name', 'code'])
  })
})
