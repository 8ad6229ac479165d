import { expect, test } from 'vitest'
import { describeGivenUp } from './given-up.ts'
import type { TaskEnd } from './outcome-settler.ts'

const delivery = { queue: 'celery', tag: 'a', fence: 1 }
const write = { taskId: 'a', state: 'SUCCESS', record: '{}' }

function entry(end: TaskEnd): Parameters<typeof describeGivenUp>[0][number] {
  const { delivery, publish } = end
  const settlement = { ...(delivery && { delivery }), ...(publish && { publish }) }
  return { settlement, about: { end, onSettled: () => {} } }
}

const lost = (title: string): ReturnType<typeof entry> => entry({ task: { title }, write })

test('what comes again and what does not', () => {
  expect(describeGivenUp([entry({ delivery, task: { title: 'add[a]' }, write })])).toBe(
    '1 settlement could not be told to the broker; of 1 message what it still holds is delivered again',
  )
  expect(describeGivenUp([lost('add[a]')])).toBe(
    '1 settlement could not be told to the broker; 1 result may be lost, acknowledged early: add[a]',
  )
  const follows = entry({ task: { title: 'pay[b]' }, publish: [] })
  expect(describeGivenUp([{ settlement: { delivery }, about: undefined }, lost('add[a]'), follows])).toBe(
    '3 settlements could not be told to the broker; of 1 message what it still holds is delivered again; ' +
      '1 result may be lost, acknowledged early: add[a]; what follows may not have been sent, acknowledged early: pay[b]',
  )
})

test('ten tasks are named at most, and no record of a start counts as a result', () => {
  const text = describeGivenUp([...Array(12).keys()].map((n) => lost(`t[${n}]`)))
  expect(text).toContain('12 results may be lost')
  expect(text).toMatch(/t\[9\] and 2 more$/)
  expect(describeGivenUp([entry({ write })])).toBe('1 settlement could not be told to the broker')
})
