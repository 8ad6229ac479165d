import { describeBackend } from '@celery/backend/testkit'
import { describe, test } from 'vitest'
import { openSqliteStore } from './open-sqlite-store.ts'

describeBackend('sqlite', openSqliteStore, { describe, test })
