import type { CommandContext } from './command-context.ts'

/** Where the module of settings was named that an error says is not there. */
export function describeConfigOrigin(
  { code, module }: { readonly code: string; readonly module?: string },
  { flags }: CommandContext,
): string | undefined {
  const named = process.env.CELERY_CONFIG_MODULE
  if (code !== 'ERR_CELERY_MODULE_NOT_FOUND' || module === undefined || named === undefined) return undefined
  // After a colon, one of its exports.
  if (named !== module && !named.startsWith(`${module}:`)) return undefined
  const origin = flags.config === undefined ? 'CELERY_CONFIG_MODULE in the environment' : '--config on the command line'
  return `The module is that of ${origin}.`
}
