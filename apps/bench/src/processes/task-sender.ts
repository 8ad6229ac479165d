/** A client of ours that sends tasks. */
import { Redis } from 'ioredis'
import { redisAt } from '../places.ts'
import { declareTasks } from '../tasks.ts'
import { measureSending, type SendingResult } from './measure-sending.ts'
import { serve, startArgument } from './measured.ts'
import type { SendingCommand } from './raw-sender.ts'

export interface TaskSenderArgument {
  readonly url: string
  /** The argument of every task. */
  readonly padding: string
}

async function main({ padding, url }: TaskSenderArgument): Promise<void> {
  const { app, noop } = declareTasks(redisAt(url).options)
  const redis = new Redis(url)
  serve<SendingCommand>({
    onCommand({ tasks }): Promise<SendingResult> {
      return measureSending(
        { send: () => noop.delay(padding), clear: () => redis.del(app.conf.taskDefaultQueue) },
        tasks,
      )
    },
    async onEnd() {
      await redis.quit()
      await app.close()
    },
  })
}

void main(startArgument())
