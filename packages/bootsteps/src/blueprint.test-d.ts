import { Blueprint } from './blueprint.ts'
import type { Step } from './step.ts'

interface Worker {
  readonly hostname: string
}

const forWorker: Step<Worker> = {
  name: 'greet',
  start: (worker) => void worker.hostname.toUpperCase(),
  stop: () => {},
}
const forAnyone: Step<unknown> = { name: 'any', start: () => {}, stop: () => {} }

// Steps that need nothing need no parent, and fit everywhere.
export const plain: Blueprint<unknown> = new Blueprint({ name: 'plain', steps: [forAnyone] })
export const mixed: Blueprint<Worker> = new Blueprint({
  name: 'worker',
  steps: [forWorker, forAnyone],
  parent: { hostname: 'a' },
})

// @ts-expect-error a step for a worker cannot run without one
new Blueprint<Worker>({ name: 'worker', steps: [forWorker] })
// @ts-expect-error nor with something else
new Blueprint<Worker>({ name: 'worker', steps: [forWorker], parent: { port: 1 } })
// @ts-expect-error nor in a blueprint that has no parent
new Blueprint<undefined>({ name: 'plain', steps: [forWorker] })
// @ts-expect-error a step has to say how it stops
export const endless: Step = { name: 'endless', start: () => {} }
