/** A map as the server sends it in either protocol: a list of names and values in turn. Only text is kept. */
export function readReply(reply: unknown): ReadonlyMap<string, string> {
  const texts = new Map<string, string>()
  if (!Array.isArray(reply)) return texts
  for (let index = 0; index + 1 < reply.length; index += 2) {
    const name: unknown = reply[index]
    const value: unknown = reply[index + 1]
    if (typeof name !== 'string') continue
    if (typeof value === 'string') texts.set(name, value)
    else if (typeof value === 'number') texts.set(name, String(value))
  }
  return texts
}
