import { CeleryError } from '@celery/promises'
import { stringifyJson } from '@celery/serialization'
import type { ErrorRegistry } from './error-registry.ts'
import { InvalidResultRecordError } from './errors.ts'
import { isRecord } from './guards.ts'
import { pythonRepr } from './python-repr.ts'
import { RemoteTaskError } from './remote-task-error.ts'
import type { ExceptionForm } from './result-record.ts'

/**
 * What a task threw, for the result store. Never throws. Arguments that cannot be stored become their `repr`. The module is null
 * unless the registry names one: Python then makes a class of that name instead of looking for one.
 *
 * @param encode - Throws for what the store's serializer cannot hold. Default: that of JSON, without typed values.
 */
export function exceptionForm(
  thrown: unknown,
  registry?: ErrorRegistry,
  encode: (arg: unknown) => unknown = asJson,
): ExceptionForm {
  try {
    if (isRemote(thrown)) {
      const { excType, args, excModule } = thrown
      return {
        exc_type: String(excType),
        exc_message: args.map((arg) => asData(arg, encode)),
        exc_module: typeof excModule === 'string' ? excModule : null,
      }
    }
    if (!(thrown instanceof Error)) return formOf('Error', [typeof thrown === 'string' ? thrown : pythonRepr(thrown)])
    const form = registry?.encode(thrown)
    if (form !== undefined) return { ...form, exc_message: form.exc_message.map((arg) => asData(arg, encode)) }
    return formOf(nameOf(thrown), thrown.message === '' ? [] : [String(thrown.message)])
  } catch {
    // a getter of the error's own that throws
    return formOf('Error', ['unprintable error'])
  }
}

/** Reads what the store holds for an exception. @throws InvalidResultRecordError */
export function decodeExceptionForm(value: unknown): ExceptionForm {
  if (!isRecord(value)) throw new InvalidResultRecordError('result', 'not an exception')
  const { exc_type, exc_message = [], exc_module = null } = value
  if (typeof exc_type !== 'string') throw new InvalidResultRecordError('result.exc_type', 'missing, or not text')
  if (exc_module !== null && typeof exc_module !== 'string') {
    throw new InvalidResultRecordError('result.exc_module', 'not text')
  }
  return { exc_type, exc_message: Array.isArray(exc_message) ? exc_message : [exc_message], exc_module }
}

/**
 * The error to throw for a stored exception: of its registered class, with the {@link RemoteTaskError} as its `cause`,
 * else that itself. Nothing is looked up by a name from outside but in the registry.
 */
export function errorFromForm(form: ExceptionForm, registry?: ErrorRegistry, traceback: string | null = null): Error {
  const remote = new RemoteTaskError(form, traceback)
  const error = registry?.decode(form)
  if (error === undefined) return remote
  error.cause ??= withoutStack(remote)
  return error
}

/** A cause tells where something went wrong: that is in its `traceback`, not here, where it is only read. */
function withoutStack(remote: RemoteTaskError): RemoteTaskError {
  return Object.defineProperty(remote, 'stack', {
    value: `${remote.name}: ${remote.message}`,
    configurable: true,
    writable: true,
  })
}

/** Characters of a traceback that are kept. */
const MAX_TRACEBACK = 65_536
/** Causes of an error that are followed. */
const MAX_CAUSES = 8

/** Stack of what a task threw and of its causes, for `traceback` of a result record. Never throws. */
export function tracebackText(thrown: unknown): string {
  const parts: string[] = []
  const seen = new Set<unknown>()
  for (
    let error = thrown;
    error !== undefined && !seen.has(error) && parts.length < MAX_CAUSES;
    error = causeOf(error)
  ) {
    seen.add(error)
    parts.push(stackOf(error))
  }
  return parts.join('\n\ncaused by: ').slice(0, MAX_TRACEBACK)
}

function stackOf(error: unknown): string {
  try {
    if (!(error instanceof Error)) return pythonRepr(error)
    // Anyone may have set it, and to anything.
    const { stack } = error as { stack?: unknown }
    const text = typeof stack === 'string' ? stack : `${String(error.name)}: ${String(error.message)}`
    return isRemote(error) && typeof error.traceback === 'string' ? `${text}\n\n${error.traceback}` : text
  } catch {
    return 'unprintable error'
  }
}

/** Also one of another copy of this package. */
function isRemote(error: unknown): error is RemoteTaskError {
  return CeleryError.is(error, 'ERR_CELERY_REMOTE_TASK')
}

function causeOf(error: unknown): unknown {
  try {
    return error instanceof Error ? error.cause : undefined
  } catch {
    return undefined
  }
}

function formOf(type: string, args: readonly unknown[]): ExceptionForm {
  return { exc_type: type, exc_message: args, exc_module: null }
}

/** Classes often leave `name` at what they inherit. */
function nameOf(error: Error): string {
  const name: unknown = error.name === 'Error' ? error.constructor.name : error.name
  return typeof name === 'string' && name !== '' ? name.slice(0, 255) : 'Error'
}

/** The record around it nests as well. */
function asJson(arg: unknown): string {
  return stringifyJson(arg, { maxDepth: 90 })
}

function asData(arg: unknown, encode: (arg: unknown) => unknown): unknown {
  try {
    encode(arg)
    return arg
  } catch {
    return pythonRepr(arg)
  }
}
