import { Exchange, Queue } from '@celery/messaging'

const exchange = new Exchange('C.dq2')

/**
 * The queue of one worker, by its node name, from which it alone consumes if it runs with `workerDirect`:
 * `applyAsync(args, { queue: workerDirect('w1@host') })`.
 */
export function workerDirect(nodeName: string): Queue {
  return new Queue(`${nodeName}.dq2`, { exchange, routingKey: nodeName })
}
