import { decodeSignature, decodeSignatures, MAX_SIGNATURES } from './decode-signature.ts'
import { InvalidTaskMessageError } from './errors.ts'
import { isRecord } from './guards.ts'
import type { TaskBody, TaskEmbed } from './task-types.ts'

const EMPTY_EMBED: TaskEmbed = { callbacks: null, errbacks: null, chain: null, chord: null }

/**
 * Reads the decoded body of a task message: `[args, kwargs, embed]` in protocol 2, an object in protocol 1 and in a
 * mixture of both. Parts of `embed`, and `embed` itself, may be missing or null; of an object, everything but that it
 * is a call.
 *
 * @throws InvalidTaskMessageError
 */
export function decodeTaskBody(value: unknown): TaskBody {
  if (!Array.isArray(value)) return decodeObject(value)
  if (value.length !== 3) throw new InvalidTaskMessageError('body', '[args, kwargs, embed]', value)
  const [args, kwargs, embed] = value as readonly unknown[]
  if (!Array.isArray(args)) throw new InvalidTaskMessageError('body.args', 'a list', args)
  if (!isRecord(kwargs)) throw new InvalidTaskMessageError('body.kwargs', 'an object', kwargs)
  return { args, kwargs, embed: decodeEmbed(embed, 'body.embed') }
}

/** The signatures stand beside the arguments there. */
function decodeObject(value: unknown): TaskBody {
  if (!isRecord(value) || !isCall(value)) {
    throw new InvalidTaskMessageError('body', '[args, kwargs, embed], or an object with args', value)
  }
  const args = value['args'] ?? []
  const kwargs = value['kwargs'] ?? {}
  if (!Array.isArray(args)) throw new InvalidTaskMessageError('body.args', 'a list', args)
  if (!isRecord(kwargs)) throw new InvalidTaskMessageError('body.kwargs', 'an object', kwargs)
  return { args, kwargs, embed: decodeEmbed(value, 'body') }
}

function isCall(body: Readonly<Record<string, unknown>>): boolean {
  return Object.hasOwn(body, 'args') || Object.hasOwn(body, 'kwargs') || Object.hasOwn(body, 'task')
}

function decodeEmbed(value: unknown, field: string): TaskEmbed {
  if (value === null) return EMPTY_EMBED
  if (!isRecord(value)) throw new InvalidTaskMessageError(field, 'an object', value)
  const { callbacks = null, errbacks = null, chain = null, chord = null } = value
  if (callbacks === null && errbacks === null && chain === null && chord === null) return EMPTY_EMBED
  const budget = { left: MAX_SIGNATURES }
  return {
    callbacks: decodeSignatures(callbacks, `${field}.callbacks`, budget),
    errbacks: decodeSignatures(errbacks, `${field}.errbacks`, budget),
    chain: decodeSignatures(chain, `${field}.chain`, budget),
    chord: chord === null ? null : decodeSignature(chord, `${field}.chord`, budget),
  }
}
