import type { ExceptionForm } from './result-record.ts'

/** How errors of one class travel. */
export interface ErrorMapping<E extends Error> {
  /** @defaultValue the name of the class */
  readonly type?: string
  /** Python module, where Python has a class of that name: `builtins`, `celery.exceptions`. @defaultValue `null` */
  readonly module?: string | null
  /** What goes over the wire; JSON must be able to hold it. @defaultValue `[error.message]` */
  toArgs?(error: E): readonly unknown[]
  /** Makes the error again. The arguments come from outside. @defaultValue `new Class(message)` */
  fromArgs?(args: readonly unknown[]): E
}

interface Entry {
  readonly type: string
  readonly module: string | null
  toArgs(error: Error): readonly unknown[]
  fromArgs(args: readonly unknown[]): Error
}

/**
 * The error classes that may be made from what a result store holds; no other class ever is, whatever it is called.
 * Starts with JavaScript's own.
 */
export class ErrorRegistry {
  readonly #byForm = new Map<string, Entry>()
  readonly #byClass = new Map<unknown, Entry>()

  constructor() {
    for (const errorClass of [Error, RangeError, ReferenceError, EvalError, URIError]) this.register(errorClass)
    // Python has these too, and means the same.
    for (const errorClass of [TypeError, SyntaxError]) this.register(errorClass, { module: 'builtins' })
  }

  /** Adds a class; one of the same type and module gives way. */
  register<E extends Error>(errorClass: new (...args: never[]) => E, mapping: ErrorMapping<E> = {}): this {
    const build = errorClass as unknown as new (message: string) => E
    const entry: Entry = {
      type: mapping.type ?? errorClass.name,
      module: mapping.module ?? null,
      toArgs: (error) => mapping.toArgs?.(error as E) ?? (error.message === '' ? [] : [error.message]),
      fromArgs: (args) => mapping.fromArgs?.(args) ?? new build(messageOf(args)),
    }
    this.#byForm.set(keyOf(entry.type, entry.module), entry)
    this.#byClass.set(errorClass, entry)
    return this
  }

  /** The form of an error of exactly a registered class, else `undefined`. */
  encode(error: Error): ExceptionForm | undefined {
    const entry = this.#byClass.get(error.constructor)
    // An error that calls itself something else wants to be known by that name.
    if (entry === undefined || (entry.module === null && error.constructor === Error && error.name !== 'Error'))
      return undefined
    return { exc_type: entry.type, exc_message: entry.toArgs(error), exc_module: entry.module }
  }

  /** The error of a registered form, else `undefined`; also where the class did not like the arguments. */
  decode(form: ExceptionForm): Error | undefined {
    const entry = this.#byForm.get(keyOf(form.exc_type, form.exc_module))
    if (entry === undefined) return undefined
    try {
      return entry.fromArgs(form.exc_message)
    } catch {
      return undefined
    }
  }
}

function keyOf(type: string, module: string | null): string {
  return `${module ?? ''}\0${type}`
}

function messageOf(args: readonly unknown[]): string {
  const [message = ''] = args
  return typeof message === 'string' ? message : String(message)
}
