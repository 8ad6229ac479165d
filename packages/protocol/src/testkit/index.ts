export { type ByteMutation, mutateBytes } from './mutate-bytes.ts'
export { type Mutation, mutateEnvelope } from './mutate-envelope.ts'
export { Random } from './random.ts'
