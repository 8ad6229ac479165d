export { Blueprint, type BlueprintOptions, type BlueprintState } from './blueprint.ts'
export { type BootstepGraph, type GraphEdge, graphOf, toDot } from './graph.ts'
export { BootstepCircleError, DuplicateStepError, UnknownRequirementError } from './graph-errors.ts'
export {
  BlueprintStopError,
  BlueprintStoppedError,
  StepFailedError,
  type StepPhase,
  StepStopTimeoutError,
} from './lifecycle-errors.ts'
export { type OrderedStep, orderSteps } from './order-steps.ts'
export type { Step, StepContext } from './step.ts'
