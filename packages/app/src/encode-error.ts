import type { PlannedCall } from '@celery/canvas'
import { CeleryError } from '@celery/promises'
import { EncodeError } from '@celery/serialization'
import type { RegisteredTask } from './task.ts'

/**
 * Encodes the body of a call. Where a value in it cannot be written, the error says of which argument it is.
 * @throws EncodeError
 */
export function namingArguments<T>(call: PlannedCall, task: RegisteredTask | undefined, encode: () => T): T {
  try {
    return encode()
  } catch (error) {
    if (!CeleryError.is(error, 'ERR_CELERY_ENCODE')) throw error
    const { contentType, path, reason } = error as EncodeError
    throw new EncodeError(contentType, reason, `${placeOf(path, task?.parameters.names)} of a call of ${call.task}`, {
      cause: error,
    })
  }
}

/** `$[0][1].when` of a body is `argument 2 ('y') at .when`; protocol 1 has names there. */
function placeOf(path: string, names: readonly string[] | undefined): string {
  const positional = /^\$(?:\[0\]|\.args)\[(\d+)\](.*)$/s.exec(path)
  if (positional !== null) return argumentPlace(Number(positional[1]), positional[2] as string, names)
  const keyword = /^\$(?:\[1\]|\.kwargs)\.([^.[]+)(.*)$/s.exec(path)
  if (keyword !== null) return `the argument '${keyword[1]}'${within(keyword[2] as string)}`
  const followUp = /^\$(?:\[2\])?\.(callbacks|errbacks|chain|chord)(.*)$/s.exec(path)
  return followUp === null ? path : `the ${followUp[1]}${followUp[2]}`
}

/** As errors call an argument: from 1, with its name where that is known. */
export function argumentPlace(index: number, rest: string, names: readonly string[] | undefined): string {
  const name = names?.[index]
  return `argument ${index + 1}${name === undefined ? '' : ` ('${name}')`}${within(rest)}`
}

function within(rest: string): string {
  return rest === '' ? '' : ` at ${rest}`
}

/** The same for a record of the result store. @throws EncodeError */
export function namingResult<T>(task: string, encode: () => T): T {
  try {
    return encode()
  } catch (error) {
    if (!CeleryError.is(error, 'ERR_CELERY_ENCODE')) throw error
    const { contentType, path, reason } = error as EncodeError
    const value = /^\$\.result(.*)$/s.exec(path)
    if (value === null) throw error
    throw new EncodeError(contentType, reason, `the result of ${task}${within(value[1] as string)}`, { cause: error })
  }
}
