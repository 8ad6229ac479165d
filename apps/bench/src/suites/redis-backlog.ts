import { BacklogDrain, type BacklogDrainOptions } from '../contestants/backlog-drain.ts'
import type { ContestantEntry, Suite } from '../suite.ts'
import { nodePackageVersions, redisVersions, whyWithoutRedis } from './versions.ts'

const padding = 'x'.repeat(60)

/** What is left of a worker's speed when much waits in its queue, and what that takes of its memory. */
export const redisBacklog: Suite = {
  name: 'redis-backlog',
  title: 'a queue in a Redis with a tenth of the tasks that are asked for, and with a hundred times as many',
  contestants: [
    drain({ name: 'short', portion: 1 / 10, drains: 10 }),
    drain({ name: 'plain', portion: 1, drains: 1 }),
    drain({ name: 'long', portion: 100, drains: 1 }),
  ],
  rows: [
    {
      name: 'drain of a long queue',
      unit: 'tasks/s',
      ours: { contestant: 'long', metric: 'rate' },
      peers: [
        { contestant: 'short', metric: 'rate', atLeast: 0.9 },
        { contestant: 'plain', metric: 'rate' },
      ],
    },
    {
      name: 'highest memory of the worker, resident',
      unit: 'MiB',
      ours: { contestant: 'long', metric: 'peakRss' },
      peers: [
        { contestant: 'short', metric: 'peakRss' },
        { contestant: 'plain', metric: 'peakRss' },
      ],
    },
    {
      name: 'the same, above that of one which has done nothing yet',
      unit: 'MiB',
      ours: { contestant: 'long', metric: 'addedRss' },
      peers: [
        { contestant: 'short', metric: 'addedRss' },
        { contestant: 'plain', metric: 'addedRss' },
      ],
      atMost: 50,
    },
  ],
  async versions() {
    return { ...redisVersions(), ...nodePackageVersions('ioredis') }
  },
}

function drain(settings: Omit<BacklogDrainOptions, 'concurrency' | 'padding' | 'pool'>): ContestantEntry {
  return {
    name: settings.name,
    missing: whyWithoutRedis,
    create: (options) => new BacklogDrain(options, { ...settings, padding, pool: 'async', concurrency: 50 }),
  }
}
