import { type Parameters, parametersOf } from './arguments.ts'
import type {
  AnnotationSource,
  GivenTaskOptions,
  RegisteredTask,
  TaskAnnotation,
  TaskAnnotations,
  TaskFunction,
  TaskOptions,
} from './task.ts'
import type { TaskContext } from './task-context.ts'
import { handlersOf, type TaskHandlers } from './task-handlers.ts'
import { assertArounds, methodOf } from './task-methods.ts'
import { assertTaskOptionNames } from './task-option-names.ts'
import { assertTaskLimitsInOrder, assertTaskOptionValues } from './task-option-rules.ts'
import { type Validate, validatorOf } from './validate-arguments.ts'

/** A task with what its base and the annotations make of it. */
interface BoundTask {
  readonly options: TaskOptions
  readonly handlers: TaskHandlers | undefined
  readonly run: RegisteredTask['run']
  readonly shadowName: TaskOptions['shadowName']
}

/**
 * A task declared in this process. Annotations are settings, which may be made after the task: they are applied when it is
 * first used, and again when they are replaced.
 */
export class DeclaredTask implements RegisteredTask {
  readonly name: string
  readonly parameters: Parameters
  readonly arity: number
  readonly base: unknown
  readonly validate: RegisteredTask['validate']
  readonly #declared: TaskOptions
  readonly #function: RegisteredTask['run']
  readonly #annotations: () => TaskAnnotations | undefined
  #annotatedBy: TaskAnnotations | undefined
  #bound: BoundTask | undefined

  constructor(
    name: string,
    fn: (...args: never[]) => unknown,
    options: GivenTaskOptions,
    annotations: () => TaskAnnotations | undefined,
  ) {
    assertTaskOptionNames(name, options)
    assertTaskOptionValues(name, options)
    const { args: schema, bind: isBound = false } = options
    const body = fn as unknown as (...args: readonly unknown[]) => unknown
    this.name = name
    const parameters = parametersOf(fn, isBound, options.params)
    this.validate = schema === undefined ? undefined : validatorOf(name, schema, parameters.names)
    // A schema says how many there are. Without names a function may well take fewer.
    this.parameters =
      schema === undefined || parameters.names !== undefined
        ? parameters
        : { ...parameters, most: Number.POSITIVE_INFINITY }
    this.arity = Math.max(0, fn.length - (isBound ? 1 : 0))
    this.base = typeof options.base === 'function' ? new options.base() : options.base
    if (this.base) {
      assertTaskOptionValues(name, this.base as object)
      assertTaskLimitsInOrder(name, { ...(this.base as object), ...options })
    }
    this.#declared = options
    this.#function = isBound ? (context, args) => body(context, ...args) : (_context, args) => body(...args)
    this.#annotations = annotations
  }

  get options(): TaskOptions {
    return this.#current().options
  }

  get handlers(): TaskHandlers | undefined {
    return this.#current().handlers
  }

  get run(): RegisteredTask['run'] {
    return this.#current().run
  }

  get shadowName(): NonNullable<RegisteredTask['shadowName']> {
    return ({ args, kwargs, options }) => this.#current().shadowName?.(args, kwargs, options)
  }

  #current(): BoundTask {
    const annotations = this.#annotations()
    if (this.#bound !== undefined && annotations === this.#annotatedBy) return this.#bound
    this.#bound = this.#bind(annotations)
    this.#annotatedBy = annotations
    return this.#bound
  }

  #bind(annotations: TaskAnnotations | undefined): BoundTask {
    const declared = this.#declared
    const base = this.base as object | undefined
    // As they are where nothing is to be added: a plug-in's options may be more than plain data.
    const own = base === undefined ? declared : { ...base, ...declared }
    const found = annotations === undefined ? [] : annotationsOf(annotations, this.name, own)
    const options = found.length === 0 ? own : Object.assign({}, own, ...found)
    let run = this.#function
    for (const { '@run': around } of found) if (around !== undefined) run = wrapped(around, run)
    const sources = [base, declared, ...found]
    return {
      options,
      handlers: handlersOf(sources),
      run: this.validate === undefined ? run : validated(this.validate, run),
      shadowName: methodOf('shadowName', sources) as TaskOptions['shadowName'],
    }
  }
}

/** Runs with what the schema makes of the arguments. */
function validated(validate: Validate, run: RegisteredTask['run']): RegisteredTask['run'] {
  return (context, args) => {
    const checked = validate(args)
    return 'then' in checked ? checked.then((valid) => run(context, valid)) : run(context, checked)
  }
}

function wrapped(around: (run: TaskFunction) => TaskFunction, run: RegisteredTask['run']): RegisteredTask['run'] {
  const outer = around((context, ...args) => run(context, args))
  return (context: TaskContext, args) => outer(context, ...args)
}

/**
 * Those of a task, the later ones win. As in Celery, a table's `'*'` comes before the name.
 * @throws ImproperlyConfiguredError
 */
function annotationsOf(annotations: TaskAnnotations, name: string, options: TaskOptions): readonly TaskAnnotation[] {
  const sources: readonly AnnotationSource[] = Array.isArray(annotations) ? annotations : [annotations]
  const found = sources.flatMap((source) => {
    if (typeof source === 'function') return [source(name, options)]
    return ['*', name].map((key) => (Object.hasOwn(source, key) ? source[key] : undefined))
  })
  const given = found.filter((annotation) => annotation !== undefined)
  for (const annotation of given) {
    assertArounds(name, annotation)
    assertTaskOptionValues(name, annotation)
  }
  return given
}
