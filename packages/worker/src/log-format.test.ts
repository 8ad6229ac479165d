import { expect, test } from 'vitest'
import { defaultLogFormat, logFormatter } from './log-format.ts'

const record = { levelname: 'INFO', message: 'ready', created: Date.UTC(2030, 0, 31, 12, 30, 15, 7) }

test.each([
  [defaultLogFormat, '[2030-01-31 12:30:15,007: INFO/MainProcess] ready'],
  ['%(levelname)-8s|%(levelname)8s|%(levelno)d', 'INFO    |    INFO|20'],
  ['%(process)d', String(process.pid)],
  ['100%% of %(message)s', '100% of ready'],
  ['%(nonsense)s %s %(message', '%(nonsense)s %s %(message'],
  ['', ''],
])('CONF-165 the format %j', (format, line) => {
  expect(logFormatter(format)(record)).toBe(line)
})

test('what is logged is no format', () => {
  expect(logFormatter('%(message)s')({ ...record, message: '%(levelname)s $& %%' })).toBe('%(levelname)s $& %%')
})

test('CONF-166 what a task logs names it, and the process that runs it', () => {
  const task = { name: 'add', id: '7' }
  const format = logFormatter('%(processName)s %(task_name)s[%(task_id)s]: %(message)s')
  expect(format({ ...record, task, processName: 'ForkPoolWorker-2' })).toBe('ForkPoolWorker-2 add[7]: ready')
  expect(format(record)).toBe('MainProcess ???[???]: ready')
})
