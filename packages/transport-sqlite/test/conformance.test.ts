import { describeTransport } from '@celery/transport/testkit'
import { describe, test } from 'vitest'
import { sqliteUnderTest } from './sqlite-under-test.ts'

describeTransport('sqlite', sqliteUnderTest, { describe, test })
