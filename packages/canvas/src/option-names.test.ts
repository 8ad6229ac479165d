import { expect, test } from 'vitest'
import { UnknownCallOptionError } from './errors.ts'
import { assertOptionNames } from './option-names.ts'

test.each([
  ['task_id', 'taskId'],
  ['time_limit', 'timeLimit'],
  ['link_error', 'linkError'],
  ['routingkey', 'routingKey'],
  ['countDown', 'countdown'],
  ['expire', 'expires'],
  ['priorty', 'priority'],
])('%s is a slip of %s', (option, meant) => {
  const check = () => assertOptionNames({ queue: 'q', [option]: 1 }, 'add')
  expect(check).toThrow(UnknownCallOptionError)
  expect(check).toThrow(expect.objectContaining({ option, meant, code: 'ERR_CELERY_UNKNOWN_CALL_OPTION' }))
  expect(check).toThrow(`a call of add has no option "${option}"; did you mean ${meant}?`)
})

test('what is like no option is a property of the message', () => {
  const own = { tenant: 'a', 'x-trace': 'b', appId: 'c', messageId: 'd', timestamp: 1, type: 'e', userId: 'f' }
  expect(() => assertOptionNames(own, undefined)).not.toThrow()
})

test('H-12 names that every object has are no options', () => {
  const names = JSON.parse('{"__proto__": 1, "constructor": 1, "toString": 1, "hasOwnProperty": 1}') as object
  expect(() => assertOptionNames(names, undefined)).not.toThrow()
})

test.each(['connection', 'declare', 'producer'])('CALL-023 %s is no option of a signature', (name) => {
  expect(() => assertOptionNames({ [name]: {} }, 'proj.add')).toThrow(
    `a signature cannot have the option "${name}", which is no data`,
  )
})
