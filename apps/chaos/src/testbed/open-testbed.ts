import { Random } from '../random.ts'
import type { Setup } from '../setup.ts'
import { openRedisTestbed } from './redis-testbed.ts'
import { openSqliteTestbed } from './sqlite-testbed.ts'
import type { Testbed } from './testbed.ts'

/** Starts or makes the broker of a run. @param workers - How many of them need a way to it. */
export async function openTestbed(setup: Setup, workers: number): Promise<Testbed> {
  switch (setup.broker) {
    case 'sqlite':
      return openSqliteTestbed(setup)
    case 'redis': {
      const random = new Random(setup.seed, 3)
      return openRedisTestbed({ topology: setup.topology, workers, random: () => random.next() })
    }
  }
}
