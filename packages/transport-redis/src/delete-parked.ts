import type { RedisClient } from '@celery/redis'
import { type Keys, parseTag } from './keys.ts'
import { deleteParkedScript } from './queue-scripts.ts'
import { replyList, replyText, replyTexts } from './reply.ts'

/** Removes what is parked of a queue. In portions: there may be millions. */
export async function deleteParked(client: RedisClient, keys: Keys, queue: string): Promise<void> {
  const { prefix, separator, unacked, index, eta, delayed } = keys
  let cursor = '0'
  do {
    const [next, entries] = replyList(await client.send('ZSCAN', eta, cursor, 'COUNT', 1_000))
    cursor = replyText(next)
    const tags = replyTexts(entries).filter((entry, at) => at % 2 === 0 && parseTag(entry)?.queue === queue)
    if (tags.length > 0) {
      await client.script(deleteParkedScript, [unacked, index, eta, delayed], [prefix, separator, queue, ...tags])
    }
  } while (cursor !== '0')
}
