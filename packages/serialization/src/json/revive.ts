import { quote } from '@celery/promises'
import { DecodeError } from '../errors.ts'
import { setOwn } from '../set-own.ts'
import { JSON_TYPE, type JsonTypes } from './json-options.ts'

/** Puts values in the place of all tagged objects, in place; innermost first. @throws DecodeError */
export function reviveAll(value: unknown, types: JsonTypes): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) value[index] = reviveAll(value[index], types)
    return value
  }
  const object = value as Record<string, unknown>
  for (const key of Object.keys(object)) {
    const field = object[key]
    // Plain values stay where they are. A key "__proto__" is an own one here, and stays one.
    if (typeof field === 'object' && field !== null) setOwn(object, key, reviveAll(field, types))
  }
  return revive(object, types)
}

/** The value of a tagged object; any other object as it is. @throws DecodeError */
export function revive(object: Record<string, unknown>, types: JsonTypes, position?: number): unknown {
  const type = object['__type__']
  if (typeof type !== 'string' || !Object.hasOwn(object, '__value__') || Object.keys(object).length !== 2) return object
  try {
    return types.revive(type, object['__value__'])
  } catch (cause) {
    const reason = `bad value of type ${quote(type)}`
    throw new DecodeError(JSON_TYPE, reason, position, { cause })
  }
}
