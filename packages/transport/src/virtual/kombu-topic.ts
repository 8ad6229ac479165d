/**
 * Whether a topic binding matches a routing key as publishers in Python see it, on brokers whose bindings lie in a table
 * (Redis, files): `*` is one or more characters of which the last is no dot, `#` any number of characters, also none.
 * Unlike AMQP's, `a.#` does not match `a`, and `*` may span dots. Only whole words are wildcards. Takes time proportional
 * to pattern times key at worst.
 */
export function kombuTopicMatches(pattern: string, routingKey: string): boolean {
  const wanted = tokensOf(pattern)
  // Every way to read the key so far at once: which tokens may come next.
  let next = withRuns(new Set([0]), wanted)
  for (const character of routingKey) {
    const reached = new Set<number>()
    for (const at of next) {
      const token = wanted[at]
      if (token === anyRun) {
        if (character !== '\n') reached.add(at)
      } else if (token === noDot ? character !== '.' : token === character) {
        reached.add(at + 1)
      }
    }
    if (reached.size === 0) return false
    next = withRuns(reached, wanted)
  }
  return next.has(wanted.length)
}

/** A run may also be of no characters. */
function withRuns(reached: Set<number>, wanted: readonly Token[]): ReadonlySet<number> {
  // What is added is visited too.
  for (const at of reached) if (wanted[at] === anyRun) reached.add(at + 1)
  return reached
}

/**
 * What kombu writes beside a topic binding and its publishers route by: a regular expression of Python's. It is written for
 * them alone; `kombuTopicMatches` needs the pattern itself.
 */
export function kombuTopicExpression(pattern: string): string {
  return `^${pattern.split('.').map(wordExpression).join('\\.')}$`
}

type Token = string | typeof anyRun | typeof noDot

const anyRun = Symbol('any number of characters')
const noDot = Symbol('a character that is no dot')

function tokensOf(pattern: string): readonly Token[] {
  const tokens: Token[] = []
  for (const [index, word] of pattern.split('.').entries()) {
    if (index > 0) tokens.push('.')
    if (word === '#') tokens.push(anyRun)
    else if (word === '*') tokens.push(anyRun, noDot)
    else tokens.push(...word)
  }
  return tokens
}

function wordExpression(word: string): string {
  if (word === '#') return '.*?'
  if (word === '*') return '.*?[^\\.]'
  // As `kombu.utils.text.escape_regex`: everything but letters, digits and the wildcards themselves.
  return word.replace(/[^\p{L}\p{N}#*]/gu, (character) => (character === '\0' ? '\\000' : `\\${character}`))
}
