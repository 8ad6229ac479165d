import { defineConfig } from 'vitest/config'
import { ClosingLine } from './scripts/closing-line.mjs'

/** All packages and apps in one run: `vitest run --config vitest.workspace.ts`. */
export default defineConfig({
  test: {
    projects: ['packages/*/vitest.config.ts', 'apps/*/vitest.config.ts', 'scripts/vitest.config.ts'],
    reporters: ['default', new ClosingLine()],
    // Most files start processes of their own, so more than two at once only makes each of them wait.
    maxWorkers: 2,
  },
})
