import type { Suite } from '../suite.ts'
import { embedded } from './embedded.ts'
import { faults } from './faults.ts'
import { poolCosts } from './pools.ts'
import { redis } from './redis.ts'
import { redisBacklog } from './redis-backlog.ts'

export const suites: readonly Suite[] = [embedded, poolCosts, faults, redis, redisBacklog]
