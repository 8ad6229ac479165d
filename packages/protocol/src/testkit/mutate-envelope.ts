import { type Key, pathsOf, replaced, Verbatim, valueAt, writeData } from './data-tree.ts'
import { HOSTILE_KEYS, HOSTILE_VALUES } from './hostile-values.ts'
import { damage } from './mutate-bytes.ts'
import { Random } from './random.ts'

/** What became of a good message. */
export interface Mutation {
  /** The envelope as a broker would hand it over. */
  readonly payload: string | Uint8Array
  /** What was done to it, one line each, for the report of a failure. */
  readonly steps: readonly string[]
}

/** Changes made to one message, at most. */
const MOST_STEPS = 4

/**
 * A good envelope, spoiled: fields left out, exchanged, or replaced by what should not be there, anywhere in the
 * envelope, its headers and properties and in its body; or the bytes of either damaged. Now and then it stays readable.
 * Pure: the same envelope and seed give the same mutation.
 *
 * @param envelope - As kombu writes it; its body in base64.
 * @param seed - Any integer.
 */
export function mutateEnvelope(envelope: string, seed: number): Mutation {
  const random = new Random(seed)
  const steps: string[] = []
  if (random.below(8) === 0) return { payload: damaged(Buffer.from(envelope, 'utf8'), random, steps, 'payload'), steps }
  let fields: unknown = JSON.parse(envelope)
  let body = isFields(fields) ? bodyOf(fields) : undefined
  for (let count = 1 + random.below(MOST_STEPS); count > 0; count--) {
    if (body === undefined || random.below(2) === 0) fields = mutateData(fields, random, steps, 'envelope')
    else body = spoiled(body, random, steps)
  }
  return { payload: writeData(withBody(fields, body)), steps }
}

/** Data, or bytes where it is of a format other than JSON. */
interface Body {
  readonly content: unknown
}

function bodyOf(fields: Fields): Body | undefined {
  if (typeof fields['body'] !== 'string') return undefined
  const bytes = Buffer.from(fields['body'], 'base64')
  try {
    return { content: JSON.parse(bytes.toString('utf8')) }
  } catch {
    return { content: bytes }
  }
}

function spoiled({ content }: Body, random: Random, steps: string[]): Body {
  if (content instanceof Uint8Array) return { content: damaged(content, random, steps, 'body') }
  if (random.below(4) > 0) return { content: mutateData(content, random, steps, 'body') }
  return { content: damaged(Buffer.from(writeData(content), 'utf8'), random, steps, 'body') }
}

/** Where something else took its place, that stays. */
function withBody(fields: unknown, body: Body | undefined): unknown {
  if (body === undefined || !isFields(fields) || typeof fields['body'] !== 'string') return fields
  const { content } = body
  const bytes = content instanceof Uint8Array ? content : Buffer.from(writeData(content), 'utf8')
  return replaced(fields, ['body'], Buffer.from(bytes).toString('base64'))
}

type Fields = Readonly<Record<string, unknown>>

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !(value instanceof Verbatim)
}

/** One change somewhere in data. */
function mutateData(value: unknown, random: Random, steps: string[], place: string): unknown {
  const path = random.pick(pathsOf(value))
  const name = [place, ...path].join('.')
  const at = valueAt(value, path)
  switch (random.below(5)) {
    case 0:
      steps.push(`${name} left out`)
      return path.length === 0 ? null : replaced(value, path, undefined)
    case 1: {
      const key = path.at(-1)
      if (typeof key === 'string') return renamed(value, path.slice(0, -1), key, random, steps, name)
      steps.push(`${name} put into a list`)
      return replaced(value, path, [at])
    }
    case 2: {
      const other = random.pick(pathsOf(value))
      steps.push(`${name} replaced by what stands at ${[place, ...other].join('.')}`)
      return replaced(value, path, valueAt(value, other))
    }
    default: {
      const hostile = random.pick(HOSTILE_VALUES)
      steps.push(`${name} replaced by ${hostile.text.slice(0, 60)}`)
      return replaced(value, path, hostile)
    }
  }
}

function renamed(
  value: unknown,
  holder: readonly Key[],
  key: string,
  random: Random,
  steps: string[],
  name: string,
): unknown {
  const newKey = random.pick(HOSTILE_KEYS)
  steps.push(`${name} renamed to ${JSON.stringify(newKey.slice(0, 60))}`)
  const entries = Object.entries(valueAt(value, holder) as object)
  return replaced(
    value,
    holder,
    Object.fromEntries(entries.map(([each, item]): [string, unknown] => [each === key ? newKey : each, item])),
  )
}

function damaged(bytes: Uint8Array, random: Random, steps: string[], place: string): Buffer {
  const { bytes: spoiledBytes, step } = damage(bytes, random)
  steps.push(`${place}: ${step}`)
  return spoiledBytes
}
