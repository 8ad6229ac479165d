import { BootstepCircleError, DuplicateStepError, UnknownRequirementError } from './graph-errors.ts'

/** As much of a step as its place depends on. */
export interface OrderedStep {
  readonly name: string
  readonly requires?: readonly string[] | undefined
  readonly last?: boolean | undefined
}

/**
 * Puts each step after all it requires, and otherwise leaves them as they were given: the same steps always come in the
 * same order.
 *
 * @throws DuplicateStepError, UnknownRequirementError, BootstepCircleError
 */
export function orderSteps<S extends OrderedStep>(steps: readonly S[]): readonly S[] {
  const requirements = requirementsOf(steps)
  const byName = new Map(steps.map((step) => [step.name, step]))
  const ordered = new Set<S>()
  const path: string[] = []

  const visit = (step: S): void => {
    if (ordered.has(step)) return
    if (path.includes(step.name)) throw new BootstepCircleError([...path.slice(path.indexOf(step.name)), step.name])
    path.push(step.name)
    for (const name of requirements.get(step.name) ?? []) {
      const requirement = byName.get(name)
      if (requirement !== undefined) visit(requirement)
    }
    path.pop()
    ordered.add(step)
  }

  for (const step of steps) visit(step)
  return [...ordered]
}

/**
 * What each step requires, in the order the steps were given; for a `last` one that includes every step that is not.
 *
 * @throws DuplicateStepError, UnknownRequirementError
 */
export function requirementsOf(steps: readonly OrderedStep[]): ReadonlyMap<string, readonly string[]> {
  const known = new Set<string>()
  for (const { name } of steps) {
    if (known.has(name)) throw new DuplicateStepError(name)
    known.add(name)
  }
  const notLast = steps.filter((step) => step.last !== true).map((step) => step.name)
  const requirements = new Map<string, readonly string[]>()
  for (const step of steps) {
    const own = step.requires ?? []
    for (const requirement of own) {
      if (!known.has(requirement)) throw new UnknownRequirementError(step.name, requirement, [...known])
    }
    requirements.set(step.name, [...new Set(step.last === true ? [...own, ...notLast] : own)])
  }
  return requirements
}
