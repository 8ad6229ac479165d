export { type Mutation, mutateEnvelope } from './mutate-envelope.ts'
