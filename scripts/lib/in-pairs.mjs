/**
 * Two at a time, because most of it is other programs that fill a core each.
 *
 * @template T, R
 * @param {readonly T[]} items
 * @param {(item: T) => Promise<readonly R[]>} work
 * @returns {Promise<R[]>}
 */
export async function inPairs(items, work) {
  /** @type {(readonly R[])[]} */
  const results = []
  const queue = items.entries()
  const worker = async () => {
    for (const [index, item] of queue) results[index] = await work(item)
  }
  await Promise.all([worker(), worker()])
  return results.flat()
}
