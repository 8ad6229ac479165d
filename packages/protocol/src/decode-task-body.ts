import { decodeSignature, decodeSignatures, MAX_SIGNATURES } from './decode-signature.ts'
import { InvalidTaskMessageError } from './errors.ts'
import { isRecord } from './guards.ts'
import type { TaskBody, TaskEmbed } from './task-types.ts'

const EMPTY_EMBED: TaskEmbed = { callbacks: null, errbacks: null, chain: null, chord: null }

/**
 * Reads the decoded body of a protocol 2 message, `[args, kwargs, embed]`. Parts of `embed`, and `embed` itself, may be
 * missing or null.
 *
 * @throws InvalidTaskMessageError
 */
export function decodeTaskBody(value: unknown): TaskBody {
  if (!Array.isArray(value) || value.length !== 3) {
    throw new InvalidTaskMessageError('body', '[args, kwargs, embed]', value)
  }
  const [args, kwargs, embed] = value as readonly unknown[]
  if (!Array.isArray(args)) throw new InvalidTaskMessageError('body.args', 'a list', args)
  if (!isRecord(kwargs)) throw new InvalidTaskMessageError('body.kwargs', 'an object', kwargs)
  return { args, kwargs, embed: decodeEmbed(embed) }
}

function decodeEmbed(value: unknown): TaskEmbed {
  if (value === null) return EMPTY_EMBED
  if (!isRecord(value)) throw new InvalidTaskMessageError('body.embed', 'an object', value)
  const { callbacks = null, errbacks = null, chain = null, chord = null } = value
  if (callbacks === null && errbacks === null && chain === null && chord === null) return EMPTY_EMBED
  const budget = { left: MAX_SIGNATURES }
  return {
    callbacks: decodeSignatures(callbacks, 'body.embed.callbacks', budget),
    errbacks: decodeSignatures(errbacks, 'body.embed.errbacks', budget),
    chain: decodeSignatures(chain, 'body.embed.chain', budget),
    chord: chord === null ? null : decodeSignature(chord, 'body.embed.chord', budget),
  }
}
