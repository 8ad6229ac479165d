import { type OrderedStep, orderSteps, requirementsOf } from './order-steps.ts'

/** One requirement: `step` starts after `requires` and stops before it. */
export interface GraphEdge {
  readonly step: string
  readonly requires: string
}

/** What depends on what. */
export interface BootstepGraph {
  /** In the order of starting. */
  readonly steps: readonly string[]
  readonly edges: readonly GraphEdge[]
}

/** The dependency graph of `steps`. @throws as {@link orderSteps} */
export function graphOf(steps: readonly OrderedStep[]): BootstepGraph {
  const requirements = requirementsOf(steps)
  const names = orderSteps(steps).map((step) => step.name)
  const edges = names.flatMap((step) => (requirements.get(step) ?? []).map((requires) => ({ step, requires })))
  return { steps: names, edges }
}

/** The graph as text for Graphviz, as `celery graph bootsteps` prints it; arrows lead from a step to what it requires. */
export function toDot(graph: BootstepGraph, name = 'bootsteps'): string {
  return [
    `digraph ${quote(name)} {`,
    ...graph.steps.map((step) => `  ${quote(step)}`),
    ...graph.edges.map(({ step, requires }) => `  ${quote(step)} -> ${quote(requires)}`),
    '}',
    '',
  ].join('\n')
}

function quote(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}
