import type { Suite } from '../suite.ts'
import { embedded } from './embedded.ts'
import { faults } from './faults.ts'
import { poolCosts } from './pools.ts'

export const suites: readonly Suite[] = [embedded, poolCosts, faults]
