/** A reply that should be a text. */
export function replyText(reply: unknown): string {
  if (typeof reply === 'string') return reply
  if (Buffer.isBuffer(reply)) return reply.toString('utf8')
  throw unexpected('text', reply)
}

/** A reply that should be a number. */
export function replyNumber(reply: unknown): number {
  const number = typeof reply === 'number' ? reply : typeof reply === 'string' ? Number(reply) : Number.NaN
  if (Number.isNaN(number)) throw unexpected('a number', reply)
  return number
}

/** A reply that should be a list. */
export function replyList(reply: unknown): readonly unknown[] {
  if (Array.isArray(reply)) return reply
  throw unexpected('a list', reply)
}

/** A reply that should be a list of texts. */
export function replyTexts(reply: unknown): readonly string[] {
  return replyList(reply).map(replyText)
}

function unexpected(wanted: string, reply: unknown): TypeError {
  return new TypeError(
    `Redis answered ${reply === null ? 'nothing' : `with a ${typeof reply}`} where ${wanted} was due`,
  )
}
