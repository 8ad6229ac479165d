import { defineConfig, type ViteUserConfig } from 'vitest/config'

/** What all tests share. A package's `vitest.config.ts` re-exports this, so that `vitest` inside it runs it alone. */
const shared: ViteUserConfig = defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    // A process per file: tests start workers, send signals and open files, and must not meet each other's.
    pool: 'forks',
    // Generous, because a shared machine may be slow; a test waits for events and never for time to pass.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    teardownTimeout: 30_000,
  },
})

export default shared
