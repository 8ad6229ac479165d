/**
 * A worker of BullMQ that measures itself, as `drain-worker` does: it stands still while its queue is filled, and then
 * counts the time until Redis has confirmed the end of the last job.
 */
import { Worker } from 'bullmq'
import { type BullmqArgument, connect, queueName } from './bullmq.ts'
import type { DrainCommand } from './drain-worker.ts'
import { serve, startArgument, stopwatch, waitForStart } from './measured.ts'

/** What its benchmarks and its manual take for jobs that wait for something. */
const concurrency = 50

async function main({ results, url }: BullmqArgument): Promise<void> {
  let completed = 0
  let goal = Number.POSITIVE_INFINITY
  let onGoal = (): void => {}
  const connection = connect(url)
  const worker = new Worker<{ padding?: string; value?: number }, unknown>(
    queueName,
    async ({ data }) => data.value ?? null,
    { connection, concurrency, ...(results ? {} : { removeOnComplete: { count: 0 } }) },
  )
  // Its event comes when the answer of the script that ends the job is there.
  worker.on('completed', () => {
    if (++completed === goal) onGoal()
  })
  await worker.waitUntilReady()

  serve<DrainCommand>({
    async onCommand({ tasks }) {
      goal = completed + tasks
      const end = new Promise<void>((resolve) => {
        onGoal = resolve
      })
      await waitForStart()
      const spent = stopwatch()
      await end
      return spent()
    },
    async onEnd() {
      await worker.close()
      await connection.quit()
    },
  })
}

void main(startArgument())
