import type { Suite } from '../suite.ts'
import { embedded } from './embedded.ts'
import { poolCosts } from './pools.ts'

export const suites: readonly Suite[] = [embedded, poolCosts]
