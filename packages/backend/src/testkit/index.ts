export { backendCases } from './backend-cases.ts'
export type { BackendCase, BackendTraits, BackendUnderTest, CaseContext } from './backend-under-test.ts'
export { describeBackend, type SkippableContext, type TestFramework } from './describe-backend.ts'
export { type RunCaseOptions, runBackendCase } from './run-case.ts'
