import { expect, test } from 'vitest'
import { TaskLog, type TaskLogRecord, taskLogger, taskLogLine } from './task-logger.ts'

const now = new Date('2026-11-22T06:46:54.116Z')

test("a line has Celery's form, with the task where there is one", () => {
  const record: TaskLogRecord = { level: 'info', message: 'half done', logger: 'x', task: { name: 'add', id: '7' } }
  expect(taskLogLine(record, now)).toBe(`[2026-11-22 06:46:54,116: INFO/${process.pid}] add[7]: half done\n`)
  expect(taskLogLine({ ...record, task: undefined }, now)).toBe(
    `[2026-11-22 06:46:54,116: INFO/${process.pid}] half done\n`,
  )
})

test('no line can be forged, and none is endless', () => {
  const record: TaskLogRecord = { level: 'error', message: 'a\r\n[forged]\u001b[2J', logger: 'x' }
  expect(taskLogLine(record, now)).toMatch(/\] a\\r\n {2}\[forged\]\\x1b\[2J\n$/)
  expect(taskLogLine({ ...record, message: 'x'.repeat(20_000) }, now).length).toBeLessThan(10_200)
})

test('what is below the level is not written', () => {
  const log = new TaskLog()
  const written: string[] = []
  log.write = ({ level }) => void written.push(level)
  const logger = taskLogger('x', () => ({ log }))
  const all = ['debug', 'info', 'warning', 'error', 'critical'] as const
  for (const level of all) logger[level]('message')
  expect(written).toEqual(['warning', 'error', 'critical'])
  log.level = 'debug'
  for (const level of all) logger[level]('message')
  expect(written.slice(3)).toEqual(all)
  expect(all.map((level) => logger.isEnabled(level))).not.toContain(false)
})
