import type { AnyArgs } from '@celery/canvas'
import { TaskArgumentsError } from './call-errors.ts'
import { argumentPlace } from './encode-error.ts'
import { ImproperlyConfiguredError } from './setup-errors.ts'
import type { ArgumentsSchema, SchemaIssue, SchemaResult } from './standard-schema.ts'

/** Gives what the schema makes of the arguments of a task. */
export type Validate = (args: AnyArgs) => AnyArgs | PromiseLike<AnyArgs>

/**
 * Checks the arguments of a task by its schema. What it gives is a promise where the schema is asynchronous.
 * @throws ImproperlyConfiguredError for what is no Standard Schema.
 */
export function validatorOf(task: string, schema: ArgumentsSchema, names: readonly string[] | undefined): Validate {
  const standard = (schema as Partial<ArgumentsSchema> | null)?.['~standard']
  if (standard?.version !== 1 || typeof standard.validate !== 'function') {
    throw new ImproperlyConfiguredError(
      'args',
      `the option args of the task "${task}" must be a schema of the list of its arguments, by Zod, Valibot, ArkType or another ` +
        'library with Standard Schema 1: z.tuple([z.number(), z.string()])',
    )
  }
  const read = ({ issues, ...result }: SchemaResult<AnyArgs>): AnyArgs => {
    if (issues !== undefined) throw new TaskArgumentsError(task, problemOf(issues, names))
    const { value } = result as { readonly value: unknown }
    if (Array.isArray(value)) return value
    throw new ImproperlyConfiguredError('args', `the schema of the arguments of the task "${task}" must give a list`)
  }
  return (args) => {
    const result = standard.validate(args)
    return 'then' in result ? result.then(read) : read(result)
  }
}

/** Issues that are told of; a value can have thousands. */
const most = 5
/** Characters of each. */
const longest = 200

function problemOf(issues: readonly SchemaIssue[], names: readonly string[] | undefined): string {
  const told = issues
    .slice(0, most)
    .map(({ message, path }) => `${placeOf(path ?? [], names)}: ${message.slice(0, longest)}`)
  const more = issues.length > most ? [`and ${issues.length - most} more`] : []
  return `got invalid arguments: ${[...told, ...more].join('; ')}`
}

function placeOf(path: NonNullable<SchemaIssue['path']>, names: readonly string[] | undefined): string {
  const [first, ...rest] = path.map((step) => (typeof step === 'object' ? step.key : step))
  if (first === undefined || !/^\d+$/.test(String(first))) return 'the arguments'
  const within = rest.map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`)).join('')
  return argumentPlace(Number(first), within.slice(0, longest), names)
}
