import type { AnyArgs } from '@celery/canvas'

/**
 * What libraries such as Zod, Valibot and ArkType have in common (standardschema.dev): something that checks a value, and may
 * make another of it.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    /** For the compiler alone. */
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

/** The value, or what is wrong with it. */
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] }

export interface SchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** A schema of the arguments of a task, as a list: `z.tuple([z.number(), z.string()])`. */
export type ArgumentsSchema = StandardSchema<AnyArgs, AnyArgs>

/** What is sent. */
export type InputOf<Schema extends ArgumentsSchema> = NonNullable<Schema['~standard']['types']>['input']

/** What the function gets. */
export type OutputOf<Schema extends ArgumentsSchema> = NonNullable<Schema['~standard']['types']>['output']
