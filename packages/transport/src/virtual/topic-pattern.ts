/** Whether a topic binding with this pattern takes this routing key. */
export type TopicMatches = (pattern: string, routingKey: string) => boolean

/**
 * Whether a topic binding matches a routing key, as AMQP defines it: words between dots, `*` is any one word, `#` any
 * number of words, also none. Takes time proportional to pattern times key at worst, whatever either looks like.
 */
export function topicMatches(pattern: string, routingKey: string): boolean {
  if (pattern === '#' || pattern === routingKey) return true
  const wanted = pattern.split('.')
  const words = routingKey.split('.')
  let at = 0
  let next = 0
  // Where to go on when the words after the last `#` turn out not to fit: it takes one word more.
  let hash = -1
  let hashNext = 0
  while (next < words.length) {
    if (wanted[at] === '#') {
      hash = at++
      hashNext = next
    } else if (at < wanted.length && (wanted[at] === '*' || wanted[at] === words[next])) {
      at++
      next++
    } else if (hash >= 0) {
      at = hash + 1
      next = ++hashNext
    } else {
      return false
    }
  }
  while (wanted[at] === '#') at++
  return at === wanted.length
}
