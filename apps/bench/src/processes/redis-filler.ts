/** Fills a queue with more messages than any client would send in the time: copies of one, by the raw driver. */
import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { serve, startArgument } from './measured.ts'

export interface RedisFillerArgument {
  readonly url: string
}

export type FillCommand =
  /** Makes copies of the only message of the queue `from`, and removes that. */
  | { readonly order: 'write'; readonly from: string; readonly tasks: number }
  /** They become the queue `into`, all at once. */
  | { readonly order: 'release'; readonly from: string; readonly into: string }

const chunk = 1_000

async function main({ url }: RedisFillerArgument): Promise<void> {
  const redis = new Redis(url)

  async function write(from: string, tasks: number): Promise<void> {
    const [template, ...more] = await redis.lrange(from, 0, 1)
    if (template === undefined || more.length > 0) throw new Error(`${from} is to hold one message to copy`)
    await redis.del(from)
    for (let left = tasks; left > 0; left -= chunk) {
      await redis.lpush(copiesOf(from), ...Array.from({ length: Math.min(left, chunk) }, () => copyOf(template)))
    }
  }

  serve<FillCommand>({
    async onCommand(command) {
      if (command.order === 'write') await write(command.from, command.tasks)
      else await redis.rename(copiesOf(command.from), command.into)
      return 'done'
    },
    async onEnd() {
      await redis.quit()
    },
  })
}

function copiesOf(queue: string): string {
  return `${queue}.copies`
}

/** With names of its own for the task and for the message. */
function copyOf(envelope: string): string {
  const id = /"id": ?"([^"]+)"/.exec(envelope)?.[1]
  const tag = /"delivery_tag": ?"([^"]+)"/.exec(envelope)?.[1]
  if (id === undefined || tag === undefined) throw new Error(`no envelope of a task: ${envelope}`)
  return envelope.replaceAll(id, randomUUID()).replace(tag, randomUUID())
}

void main(startArgument())
