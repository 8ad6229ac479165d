import { isDeepStrictEqual } from 'node:util'
import type { AnyArgs, HasData } from '@celery/canvas'
import { CeleryError } from '@celery/promises'
import type { SerializerRegistry } from '@celery/serialization'
import { type SentTask, stepOf } from './sent-task.ts'

/**
 * What is expected of a call; what is left out may be anything. Values are compared as they are after their way over the
 * wire, so that a `Date` among the arguments is equal to itself. In the place of a value may be a matcher of your test
 * runner (`expect.any(Number)`, anything with `asymmetricMatch`).
 */
export interface SentMatch<Args extends AnyArgs = AnyArgs, Kwargs = Readonly<Record<string, unknown>>> {
  readonly id?: string
  /** All positional arguments. */
  readonly args?: Args
  /** Some keyword arguments. */
  readonly kwargs?: Kwargs
  readonly queue?: string
  readonly exchange?: string
  /** Seconds, exactly: time stands still in a test unless its clock is another one. */
  readonly countdown?: number
  readonly eta?: Date | undefined
  /** A moment, or seconds from sending. */
  readonly expires?: Date | number | undefined
  readonly priority?: number
  readonly retries?: number
  readonly rootId?: string
  readonly parentId?: string | undefined
  readonly groupId?: string | undefined
  readonly timeLimit?: number | undefined
  readonly softTimeLimit?: number | undefined
  readonly shadow?: string | undefined
  /** Signatures, all of them: their task and arguments count, their options do not. */
  readonly link?: readonly HasData[]
  readonly linkError?: readonly HasData[]
  /** The steps after this call. */
  readonly chain?: readonly HasData[]
  /** Some headers. */
  readonly headers?: Readonly<Record<string, unknown>>
  /** Some properties. */
  readonly properties?: Readonly<Record<string, unknown>>
}

/** Compares calls with what is expected of them. */
export class SentMatcher {
  readonly #serializers: SerializerRegistry

  constructor(serializers: SerializerRegistry) {
    this.#serializers = serializers
  }

  /** Names of what is expected and is not so. */
  mismatches(sent: SentTask, match: SentMatch): readonly (keyof SentMatch)[] {
    const names = Object.keys(match) as (keyof SentMatch)[]
    return names.filter((name) => !this.#fits(name, sent, match))
  }

  #fits(name: keyof SentMatch, sent: SentTask, match: SentMatch): boolean {
    if (name === 'link' || name === 'linkError' || name === 'chain') {
      return this.#equal(sent[name], expectedSteps(match[name]))
    }
    const expected: unknown = match[name]
    if (name === 'expires' && typeof expected === 'number') {
      return sent.expires?.getTime() === sent.sentAt.getTime() + expected * 1_000
    }
    const isPart = name === 'kwargs' || name === 'headers' || name === 'properties'
    return isPart && isPlain(expected) ? this.#contains(sent[name], expected) : this.#equal(sent[name], expected)
  }

  #contains(actual: Readonly<Record<string, unknown>>, expected: Readonly<Record<string, unknown>>): boolean {
    return Object.entries(expected).every(([key, value]) => this.#equal(actual[key], value))
  }

  #equal(actual: unknown, expected: unknown): boolean {
    if (isMatcher(expected)) return expected.asymmetricMatch(actual)
    if (Array.isArray(expected)) {
      if (!Array.isArray(actual) || actual.length !== expected.length) return false
      return expected.every((value, index) => this.#equal(actual[index], value))
    }
    if (isPlain(expected) && isPlain(actual)) {
      // An undefined property is not written, so that it is as good as none.
      return this.#contains(actual, expected) && Object.keys(actual).every((key) => expected[key] !== undefined)
    }
    if (typeof expected !== 'object' || expected === null) return Object.is(actual, expected)
    return isDeepStrictEqual(this.#encoded(actual), this.#encoded(expected))
  }

  /** What has a class of its own is known by what is written of it. */
  #encoded(value: unknown): unknown {
    try {
      return this.#serializers.encode([value]).body
    } catch (error) {
      // It cannot have been sent: it is equal to nothing but itself.
      if (CeleryError.is(error)) return value
      throw error
    }
  }
}

/** Signatures as they are compared with what was sent. */
export function expectedSteps(signatures: readonly HasData[] | undefined): unknown {
  return signatures?.map((signature) => (isMatcher(signature) ? signature : stepOf(signature.toData())))
}

interface Matcher {
  asymmetricMatch(value: unknown): boolean
}

function isMatcher(value: unknown): value is Matcher {
  return (
    typeof value === 'object' && value !== null && typeof (value as Partial<Matcher>).asymmetricMatch === 'function'
  )
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
