import { mergeConfig } from 'vitest/config'
import shared from '../../vitest.shared.ts'

/** Most of these tests start several processes, and wait up to a minute for each event. */
export default mergeConfig(shared, { test: { testTimeout: 180_000, hookTimeout: 180_000 } })
