import { camelCase, isOldStyle } from './name-spelling.ts'
import { settingName } from './setting-names.ts'
import { ImproperlyConfiguredError } from './setup-errors.ts'

export interface ReadSettingsOptions {
  /** Only names that begin with it and an underscore, in capitals, are settings; the rest is left alone. */
  readonly namespace?: string | undefined
  /** Names of plug-ins. */
  readonly declared: ReadonlySet<string>
}

export interface ReadSettings {
  readonly values: ReadonlyMap<string, unknown>
  /** Names of Celery 3 and what they are called today. */
  readonly renamed: ReadonlyMap<string, string>
}

/**
 * The settings that `input` gives, by canonical name. What is `undefined` is not given.
 * @throws ImproperlyConfiguredError for a name that is none, and where names of Celery 3 stand beside newer ones: one of the
 * two was forgotten when the others were renamed.
 */
export function readSettings(input: object, options: ReadSettingsOptions): ReadSettings {
  const values = new Map<string, unknown>()
  const old = new Map<string, { readonly name: string; readonly value: unknown }>()
  for (const [name, value] of namedValues(input, options.namespace)) {
    const canonical = settingName(name, options.declared)
    if (isOldStyle(name)) old.set(canonical, { name, value })
    else values.set(canonical, value)
  }
  const renamed = new Map([...old].map(([canonical, { name }]) => [name, canonical]))
  const forgotten = [...old].filter(([canonical]) => !values.has(canonical))
  const [first] = forgotten
  if (first !== undefined && values.size > 0) {
    const renames = forgotten.map(([canonical, { name }]) => `${name} to ${canonical}`).join(', ')
    throw new ImproperlyConfiguredError(
      first[1].name,
      `new names of settings cannot be mixed with old ones; rename ${renames}`,
    )
  }
  for (const [canonical, { value }] of forgotten) values.set(canonical, value)
  return { values, renamed }
}

function namedValues(input: object, namespace: string | undefined): [string, unknown][] {
  const given = Object.entries(input).filter(([, value]) => value !== undefined)
  if (namespace === undefined || namespace === '') return given
  const prefix = `${namespace.toUpperCase().replace(/_$/, '')}_`
  return given
    .filter(([name]) => name.startsWith(prefix))
    .map(([name, value]) => [camelCase(name.slice(prefix.length)), value])
}
