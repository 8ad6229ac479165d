import { type ReadSettings, readSettings } from './read-settings.ts'
import { assertSettingLimitsInOrder, readSetting } from './setting-kinds.ts'
import { isSetting } from './setting-names.ts'
import { defaultSettings, settingDefinitions } from './settings.ts'

/** Where a value comes from; the first one that has it counts. */
const layerNames = ['changes', 'environment', 'options', 'source'] as const

export type SettingLayer = (typeof layerNames)[number]

/**
 * The settings of an app, in layers: changes at run time, the environment, the app's options, the configuration object or
 * module, further defaults, the built-in defaults.
 */
export class SettingLayers {
  /** What counts now, live: for what is read with every message. */
  readonly values: Record<string, unknown> = { ...defaultSettings }
  /** Names of plug-ins. */
  readonly declared: Set<string> = new Set()
  readonly #layers = new Map<SettingLayer, Map<string, unknown>>(layerNames.map((name) => [name, new Map()]))
  /** The last added comes first. */
  #defaults: ReadonlyMap<string, unknown>[] = []
  readonly #warn: (message: string) => void
  readonly #warned = new Set<string>()

  constructor(warn: (message: string) => void) {
    this.#warn = warn
  }

  /** Adds to a layer, all or nothing. @throws ImproperlyConfiguredError for a name or a value that cannot be right. */
  assign(layer: SettingLayer, input: object, namespace?: string): void {
    const values = this.#checked(readSettings(input, { declared: this.declared, namespace }))
    for (const [name, value] of values) this.#layer(layer).set(name, value)
    this.#resolve(values.keys())
  }

  /** Takes a value out of the changes, so that what lies below counts again. */
  unset(name: string): void {
    this.#layer('changes').delete(name)
    this.#resolve([name])
  }

  /** Keeps the changes as they are now; the returned function brings them back. */
  keepChanges(): () => void {
    const kept = [...this.#layer('changes')]
    return () => {
      this.clear('changes')
      for (const [name, value] of kept) this.#layer('changes').set(name, value)
      this.#resolve(kept.map(([name]) => name))
    }
  }

  clear(layer: SettingLayer): void {
    const names = [...this.#layer(layer).keys()]
    this.#layer(layer).clear()
    this.#resolve(names)
  }

  /** Makes place for defaults above the built-in ones, and above those that were added before; what it returns fills it. */
  addDefaults(): (input: object) => void {
    const place = new Map<string, unknown>()
    this.#defaults = [place, ...this.#defaults]
    return (input) => {
      const values = this.#checked(readSettings(input, { declared: this.declared }))
      for (const [name, value] of values) place.set(name, value)
      this.#resolve(values.keys())
    }
  }

  /** What somebody gave, without the built-in defaults. */
  given(): Record<string, unknown> {
    const names = this.#all().flatMap((layer) => [...layer.keys()])
    return Object.fromEntries([...new Set(names)].sort().map((name) => [name, this.values[name]]))
  }

  #checked({ values, renamed }: ReadSettings): ReadonlyMap<string, unknown> {
    const checked = [...values].map(([name, value]) => [name, this.#read(name, value)] as const)
    assertSettingLimitsInOrder(new Map(checked))
    for (const [name, value] of checked) this.#tellOfNoEffect(name, value)
    const old = [...renamed].filter(([name]) => !this.#warned.has(name))
    for (const [name] of old) this.#warned.add(name)
    if (old.length > 0) {
      this.#warn(
        `settings have other names since Celery 4: ${old.map(([name, now]) => `${name} is ${now}`).join(', ')}`,
      )
    }
    return new Map(checked)
  }

  #read(name: string, value: unknown): unknown {
    return isSetting(name) ? readSetting(name, settingDefinitions[name], value) : value
  }

  #tellOfNoEffect(name: string, value: unknown): void {
    if (!isSetting(name) || this.#warned.has(name)) return
    const { declined, default: normal, later } = settingDefinitions[name]
    if ((declined === undefined && !later) || value === normal) return
    this.#warned.add(name)
    this.#warn(`the setting ${name} has no effect ${later ? 'in this release' : `here: ${declined}`}`)
  }

  #resolve(names: Iterable<string>): void {
    const layers = this.#all()
    for (const name of names) {
      const layer = layers.find((each) => each.has(name))
      this.values[name] = layer === undefined ? defaultSettings[name as keyof typeof defaultSettings] : layer.get(name)
    }
  }

  #all(): ReadonlyMap<string, unknown>[] {
    return [...layerNames.map((name) => this.#layer(name)), ...this.#defaults]
  }

  #layer(name: SettingLayer): Map<string, unknown> {
    return this.#layers.get(name) as Map<string, unknown>
  }
}
