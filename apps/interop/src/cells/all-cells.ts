import type { Cell } from '../cell.ts'
import { callCells } from './calls.ts'
import { deploymentCells } from './deployments.ts'
import { endingCells } from './endings.ts'
import { fleetCells } from './fleet.ts'
import { formatCells } from './formats.ts'
import { routingCells } from './routing.ts'
import { survivalCells } from './survival.ts'
import { timeCells } from './times.ts'
import { workflowCells } from './workflows.ts'

/** The matrix. Each row is asked in every direction. */
export const allCells: readonly Cell[] = [
  ...callCells,
  ...formatCells,
  ...timeCells,
  ...endingCells,
  ...workflowCells,
  ...routingCells,
  ...deploymentCells,
  ...fleetCells,
  ...survivalCells,
]
