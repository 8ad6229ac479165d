import type { SettingsInput } from '@celery/app'
import { UsageError } from './usage-error.ts'

/**
 * Reads settings from a command line, as after `--`: `worker.prefetch_multiplier=1` and `worker_prefetch_multiplier=1` are
 * the same. What is JSON is read as that, everything else is text.
 * @throws UsageError
 */
export function parseSettings(words: readonly string[]): SettingsInput {
  return Object.fromEntries(
    words.map((word) => {
      const [, name = '', value = ''] = /^([\w.]+)=(.*)$/s.exec(word) ?? []
      if (name === '') throw new UsageError(`"${word}" is no setting; write NAME=VALUE`)
      return [name.replaceAll('.', '_'), parseValue(value)]
    }),
  )
}

function parseValue(text: string): unknown {
  // As Python writes them.
  if (text === 'True' || text === 'False') return text === 'True'
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
