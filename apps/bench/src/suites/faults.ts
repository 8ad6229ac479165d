import { CrashDrain, type CrashDrainOptions } from '../contestants/crash-drain.ts'
import { RollingDeploy } from '../contestants/rolling-deploy.ts'
import type { ContestantEntry, RowPlan, Suite } from '../suite.ts'
import { waitMs } from '../tasks.ts'
import { sqliteVersions } from './versions.ts'

const kinds = [
  { goodTask: 'wait', title: `${waitMs} ms of waiting` },
  { goodTask: 'compute', title: `${waitMs} ms of computing` },
] as const

/** What faults leave to those whom they do not concern. */
export const faults: Suite = {
  name: 'faults',
  title: 'what is left to other tasks while one kills its processes, and how long tasks wait during a deploy',
  contestants: [
    ...kinds.flatMap(({ goodTask }) => [
      drain({ name: goodTask, goodTask, concurrency: 2, poisonTasks: 0 }),
      drain({ name: withPoison(goodTask), goodTask, concurrency: 2, poisonTasks: 1 }),
    ]),
    { name: 'deploy', create: (options) => new RollingDeploy(options) },
  ],
  rows: [
    ...kinds.flatMap(ofPoison),
    ofDeploy('of tasks that all workers know, median', 'knownP50'),
    ofDeploy('of tasks that all workers know, 99th percentile', 'knownP99'),
    ofDeploy('of tasks that only new workers know, median', 'addedP50'),
    ofDeploy('of tasks that only new workers know, 99th percentile', 'addedP99'),
  ],
  versions: ({ folder }) => sqliteVersions(folder),
}

function ofPoison({ goodTask, title }: (typeof kinds)[number]): readonly RowPlan[] {
  const contestant = withPoison(goodTask)
  return [
    {
      name: `${title}, drain with a poison task`,
      unit: 'tasks/s',
      ours: { contestant, metric: 'rate' },
      peers: [{ contestant: goodTask, metric: 'rate', atLeast: 0.8 }],
    },
    {
      name: `${title}, while it kills`,
      unit: 'tasks/s',
      ours: { contestant, metric: 'rateWhileCrashing' },
      peers: [{ contestant: goodTask, metric: 'rateWhileCrashing' }],
    },
    { name: `${title}, time it kills`, unit: 's', ours: { contestant, metric: 'crashingSeconds' } },
    {
      name: `${title}, times it killed`,
      unit: '',
      ours: { contestant, metric: 'kills' },
      // Once, and for each of the redeliveries that are allowed.
      atMost: 6,
    },
  ]
}

function ofDeploy(name: string, metric: string): RowPlan {
  return { name: `wait during a deploy ${name}`, unit: 'ms', ours: { contestant: 'deploy', metric } }
}

function withPoison(name: string): string {
  return `${name}-poison`
}

function drain(options: CrashDrainOptions): ContestantEntry {
  return { name: options.name, create: (suite) => new CrashDrain(suite, options) }
}
