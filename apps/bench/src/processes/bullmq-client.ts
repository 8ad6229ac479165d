/** A client of BullMQ: fills the queue of `bullmq-worker`, sends as `task-sender` does, or calls and waits. */
import { Queue, QueueEvents } from 'bullmq'
import { type BullmqArgument, connect, queueName } from './bullmq.ts'
import { measureSending, type SendingResult } from './measure-sending.ts'
import { serve, startArgument } from './measured.ts'

export type BullmqCommand =
  | { readonly order: 'fill'; readonly tasks: number }
  | { readonly order: 'send'; readonly tasks: number }
  | { readonly order: 'call'; readonly calls: number }

/** Answers to `send`, and to `call` in milliseconds. */
export type BullmqAnswer = SendingResult | readonly number[] | 'filled'

const chunk = 1_000
const warmUpCalls = 20

async function main({ padding, url }: BullmqArgument): Promise<void> {
  const connection = connect(url)
  const queue = new Queue<{ padding?: string; value?: number }>(queueName, { connection })
  const events = new QueueEvents(queueName, { connection })
  await Promise.all([queue.waitUntilReady(), events.waitUntilReady()])

  async function fill(tasks: number): Promise<void> {
    // What ended before is no part of what is measured.
    await queue.clean(0, 0, 'completed')
    const job = { name: 'noop', data: { padding } }
    for (let left = tasks; left > 0; left -= chunk) {
      await queue.addBulk(Array.from({ length: Math.min(left, chunk) }, () => job))
    }
  }

  async function call(calls: number): Promise<number[]> {
    const durations: number[] = []
    for (let value = -warmUpCalls; value < calls; value++) {
      const startedAt = performance.now()
      const job = await queue.add('echo', { value })
      const answer: unknown = await job.waitUntilFinished(events, 30_000)
      if (answer !== value) throw new Error(`echo of ${value} gave ${answer}`)
      if (value >= 0) durations.push(performance.now() - startedAt)
    }
    return durations
  }

  serve<BullmqCommand>({
    async onCommand(command): Promise<BullmqAnswer> {
      switch (command.order) {
        case 'fill':
          await fill(command.tasks)
          return 'filled'
        case 'send':
          return measureSending(
            { send: () => queue.add('noop', { padding }), clear: () => queue.obliterate({ force: true }) },
            command.tasks,
          )
        case 'call':
          return call(command.calls)
      }
    },
    async onEnd() {
      await events.close()
      await queue.close()
      await connection.quit()
    },
  })
}

void main(startArgument())
