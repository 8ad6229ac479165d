/** Beyond what an object keeps in a row. Its neighbours are not moved where it comes and goes. */
const FAR = 2 ** 28

const NINE = 0x39

/**
 * Sets a property as `JSON.parse` does: a name is a name, and never sets a prototype, nor has more memory than it needs.
 * V8 makes room for all numbers below the one that is a name, up to a few thousand, so that an object of nothing but
 * `"1000"` would take 12 KiB; one that has a name far away, be it for a moment, keeps its numbers in a table instead.
 */
export function setOwn(object: Record<string, unknown>, name: string, value: unknown): void {
  if (isSmallIndex(name) && !isInPlace(object, Number(name))) {
    object[FAR] = undefined
    object[name] = value
    delete object[FAR]
  } else if (name === '__proto__') {
    Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true })
  } else {
    object[name] = value
  }
}

/** Whether a name is a number from 10 to 9999. Most names are found to be none by their first character. */
function isSmallIndex(name: string): boolean {
  return name.length < 5 && name.charCodeAt(0) <= NINE && /^[1-9]\d{1,3}$/.test(name)
}

/** Whether there is a number just below it, or one far away already. */
function isInPlace(object: Record<string, unknown>, index: number): boolean {
  return Object.hasOwn(object, index - 1) || Object.hasOwn(object, FAR)
}
