import { Celery } from '@celery/app'
import { expect, test } from 'vitest'
import { checkRoot, dropPrivileges } from './privileges.ts'

function accepting(...acceptContent: readonly string[]): Celery {
  const app = new Celery('test', { broker: 'memory://', notify: () => {} })
  app.conf.acceptContent = acceptContent
  return app
}

test('O-1 root is warned, others are not', () => {
  expect(checkRoot(accepting('json'), 0, {})).toContain('running as root')
  expect(checkRoot(accepting('json', 'pickle'), 1_000, {})).toBeUndefined()
  expect(checkRoot(accepting('json'), undefined, {})).toBeUndefined()
})

test.each(['pickle', 'application/x-python-serialize'])(
  'O-1 root is refused where %s is accepted, unless forced',
  (name) => {
    const app = accepting('json', name)
    expect(() => checkRoot(app, 0, {})).toThrow('refusing to run as root')
    expect(checkRoot(app, 0, { C_FORCE_ROOT: '1' })).toContain('running as root')
  },
)

test('WORK-030 a user or group that there is not is refused', () => {
  expect(() => dropPrivileges({ uid: 'nobody-of-that-name' })).toThrow('there is no user "nobody-of-that-name"')
  expect(() => dropPrivileges({ gid: 'nobody-of-that-name' })).toThrow('there is no group "nobody-of-that-name"')
})

test('nothing changes where none is given', () => {
  const before = process.getuid?.()
  dropPrivileges({})
  expect(process.getuid?.()).toBe(before)
})
