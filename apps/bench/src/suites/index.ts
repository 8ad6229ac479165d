import type { Suite } from '../suite.ts'
import { embedded } from './embedded.ts'

export const suites: readonly Suite[] = [embedded]
