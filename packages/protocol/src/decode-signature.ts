import { InvalidTaskMessageError } from './errors.ts'
import { isCount, isName, isRecord } from './guards.ts'
import { OPTION_RULES } from './option-rules.ts'
import type { SignatureData, SignatureOptions } from './signature-data.ts'

/** Signatures in one message, at most. */
export const MAX_SIGNATURES = 10_000
/** Signatures inside each other's options, at most. */
const MAX_DEPTH = 100

/** Counts signatures over one message. */
export interface SignatureBudget {
  left: number
}

/**
 * Reads a signature. Only `task` must be there. Options of value null are dropped where null says nothing; a single
 * `link` or `link_error` becomes a list; options we do not know are kept.
 *
 * @param field - Where it stands, for the error.
 * @throws InvalidTaskMessageError
 */
export function decodeSignature(
  value: unknown,
  field: string = 'signature',
  budget: SignatureBudget = { left: MAX_SIGNATURES },
): SignatureData {
  return new SignatureReader(budget).signature(value, field, 0)
}

/** `null` stays `null`; @throws InvalidTaskMessageError */
export function decodeSignatures(
  value: unknown,
  field: string,
  budget: SignatureBudget,
): readonly SignatureData[] | null {
  if (value === null || value === undefined) return null
  return new SignatureReader(budget).list(value, field, 0)
}

class SignatureReader {
  readonly #budget: SignatureBudget

  constructor(budget: SignatureBudget) {
    this.#budget = budget
  }

  list(value: unknown, field: string, depth: number): SignatureData[] {
    if (!Array.isArray(value)) throw new InvalidTaskMessageError(field, 'a list of signatures', value)
    return value.map((item, index) => this.signature(item, `${field}[${index}]`, depth))
  }

  signature(value: unknown, field: string, depth: number): SignatureData {
    if (!isRecord(value)) throw new InvalidTaskMessageError(field, 'a signature', value)
    if (--this.#budget.left < 0) throw new InvalidTaskMessageError(field, `at most ${MAX_SIGNATURES} signatures`, '...')
    if (depth >= MAX_DEPTH)
      throw new InvalidTaskMessageError(field, `signatures nested less than ${MAX_DEPTH} deep`, '...')
    const { task, args, kwargs, options, subtask_type, immutable, chord_size } = value
    if (!isName(task)) throw new InvalidTaskMessageError(`${field}.task`, '1 to 255 printable characters', task)
    if (!isMissing(args) && !Array.isArray(args)) throw new InvalidTaskMessageError(`${field}.args`, 'a list', args)
    if (!isMissing(kwargs) && !isRecord(kwargs))
      throw new InvalidTaskMessageError(`${field}.kwargs`, 'an object', kwargs)
    if (!isMissing(subtask_type) && typeof subtask_type !== 'string') {
      throw new InvalidTaskMessageError(`${field}.subtask_type`, 'text or null', subtask_type)
    }
    if (!isMissing(immutable) && typeof immutable !== 'boolean') {
      throw new InvalidTaskMessageError(`${field}.immutable`, 'true or false', immutable)
    }
    if (!isMissing(chord_size) && !isCount(chord_size)) {
      throw new InvalidTaskMessageError(`${field}.chord_size`, 'an integer from 0', chord_size)
    }
    const signature: SignatureData = {
      task,
      args: args ?? [],
      kwargs: kwargs ?? {},
      options: isMissing(options) ? {} : this.#options(options, `${field}.options`, depth),
      subtask_type: subtask_type ?? null,
      immutable: immutable ?? false,
    }
    return isMissing(chord_size) ? signature : { ...signature, chord_size }
  }

  #options(value: unknown, field: string, depth: number): SignatureOptions {
    if (!isRecord(value)) throw new InvalidTaskMessageError(field, 'an object', value)
    const options: Record<string, unknown> = {}
    for (const [key, option] of Object.entries(value)) {
      // A key of this name would set the prototype, and no option is called so.
      if (key === '__proto__') continue
      const rule = OPTION_RULES.get(key)
      if (key === 'link' || key === 'link_error') {
        if (option !== null)
          options[key] = this.list(isRecord(option) ? [option] : option, `${field}.${key}`, depth + 1)
      } else if (key === 'chord') {
        if (option !== null) options[key] = this.signature(option, `${field}.${key}`, depth + 1)
      } else if (rule === undefined) {
        options[key] = option
      } else if (option === null) {
        if (rule.nullable) options[key] = null
      } else if (rule.test(option)) {
        options[key] = option
      } else {
        throw new InvalidTaskMessageError(`${field}.${key}`, rule.expected, option)
      }
    }
    return options
  }
}

function isMissing(value: unknown): value is null | undefined {
  return value === null || value === undefined
}
