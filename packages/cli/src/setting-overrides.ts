import { parseConfigOverrides, type SettingsInput } from '@celery/app'
import { CeleryError } from '@celery/promises'
import { UsageError } from './usage-error.ts'

/**
 * The settings after `--` of `celery worker`.
 * @throws UsageError
 */
export function parseSettings(words: readonly string[]): SettingsInput {
  try {
    return parseConfigOverrides(words, { section: 'worker' })
  } catch (error) {
    if (CeleryError.is(error, 'ERR_CELERY_IMPROPERLY_CONFIGURED')) throw new UsageError((error as Error).message)
    throw error
  }
}
