import { describeTransport } from '@celery/transport/testkit'
import { describe, test } from 'vitest'
import { memoryUnderTest } from './memory-under-test.ts'

describeTransport('memory', async () => memoryUnderTest(), { describe, test })
describeTransport('memory with sessions', async () => memoryUnderTest(undefined, { sessions: true }), {
  describe,
  test,
})
