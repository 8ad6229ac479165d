/** Text that stands in the place of a value as it is: what no JavaScript value would be written as. */
export class Verbatim {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** One step of a path into data. */
export type Key = string | number

/** JSON of data with {@link Verbatim} text in it. Has no limits: what it writes is meant to be refused. */
export function writeData(value: unknown): string {
  if (value instanceof Verbatim) return value.text
  if (Array.isArray(value)) return `[${value.map(writeData).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  return `{${Object.entries(value)
    .map(([key, item]) => `${JSON.stringify(key)}:${writeData(item)}`)
    .join(',')}}`
}

/** The paths of everything inside of `value`, and of itself. */
export function pathsOf(value: unknown, path: readonly Key[] = []): (readonly Key[])[] {
  if (typeof value !== 'object' || value === null || value instanceof Verbatim) return [path]
  const children = Array.isArray(value) ? [...value.entries()] : Object.entries(value)
  return [path, ...children.flatMap(([key, item]) => pathsOf(item, [...path, key]))]
}

export function valueAt(value: unknown, path: readonly Key[]): unknown {
  return path.reduce<unknown>((holder, key) => (holder as Readonly<Record<Key, unknown>>)[key], value)
}

/** A copy with what stands at `path` replaced, or left out where `replacement` is undefined. */
export function replaced(value: unknown, path: readonly Key[], replacement: unknown): unknown {
  const [key, ...rest] = path
  if (key === undefined) return replacement
  if (Array.isArray(value)) {
    return value.flatMap((item, index) => {
      if (index !== key) return [item]
      const changed = replaced(item, rest, replacement)
      return changed === undefined ? [] : [changed]
    })
  }
  // Data properties of their own, `__proto__` too.
  return Object.fromEntries(
    Object.entries(value as object).flatMap(([name, item]) => {
      if (name !== key) return [[name, item]]
      const changed = replaced(item, rest, replacement)
      return changed === undefined ? [] : [[name, changed]]
    }),
  )
}
