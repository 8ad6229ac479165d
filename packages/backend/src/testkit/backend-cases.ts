import type { BackendCase } from './backend-under-test.ts'
import { chordCases } from './chord-cases.ts'
import { closingCases } from './closing-cases.ts'
import { expiryCases } from './expiry-cases.ts'
import { idCases } from './id-cases.ts'
import { recordCases } from './record-cases.ts'
import { stateCases } from './state-cases.ts'
import { watchCases } from './watch-cases.ts'

/** Everything that a result backend must do. */
export const backendCases: readonly BackendCase[] = [
  ...recordCases,
  ...stateCases,
  ...expiryCases,
  ...watchCases,
  ...idCases,
  ...chordCases,
  ...closingCases,
]
