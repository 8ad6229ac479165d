/** The peer that does nothing but `LPUSH`: what the driver takes, with payloads as long as an envelope. */
import { Redis } from 'ioredis'
import { measureSending, type SendingResult } from './measure-sending.ts'
import { serve, startArgument } from './measured.ts'

export interface RawSenderArgument {
  readonly url: string
  readonly payloadBytes: number
}

export interface SendingCommand {
  readonly tasks: number
}

const queue = 'raw'

async function main({ payloadBytes, url }: RawSenderArgument): Promise<void> {
  const redis = new Redis(url)
  // What is sent in one turn of the event loop goes as one write: its fastest way with many at a time, not with one.
  const pipelining = new Redis(url, { enableAutoPipelining: true })
  const payload = 'x'.repeat(payloadBytes)
  await Promise.all([redis.ping(), pipelining.ping()])
  serve<SendingCommand>({
    onCommand({ tasks }): Promise<SendingResult> {
      return measureSending(
        {
          send: () => redis.lpush(queue, payload),
          sendOfMany: () => pipelining.lpush(queue, payload),
          clear: () => redis.del(queue),
        },
        tasks,
      )
    },
    async onEnd() {
      await Promise.all([redis.quit(), pipelining.quit()])
    },
  })
}

void main(startArgument())
