export { type PoolChildKind, poolChildKind } from './pool-child-kind.ts'
