/** Topic routing beside kombu's own: what is written into the binding table, and which keys it takes. */
import { spawnSync } from 'node:child_process'
import { isMissing, SYSTEM_PYTHON } from '@celery/test-servers'
import { kombuTopicExpression, kombuTopicMatches } from '@celery/transport/virtual'
import fc from 'fast-check'
import { expect, test } from 'vitest'

const script = `
import json, sys
from kombu.transport.virtual.exchange import TopicExchange
topic = TopicExchange(None)
def answer(pattern, key):
    expression = topic.key_to_pattern(pattern)
    return [expression, bool(topic._match(expression, key))]
json.dump([answer(*pair) for pair in json.load(sys.stdin)], sys.stdout)
`

const examples: readonly (readonly [pattern: string, key: string])[] = [
  ['a.#', 'a'],
  ['a.#', 'a.b'],
  ['a.*.b', 'a.x.b'],
  ['a.*.b', 'a.x.y.b'],
  ['#', ''],
  ['plain', 'plain'],
  ['x-y.*', 'x-y.z'],
]

test.skipIf(isMissing('python-celery'))('patterns and their matches are those of kombu', () => {
  // No line feeds: the end of a Python expression lets one pass, which nobody means.
  const word = fc.constantFrom('a', 'b', '*', '#', '', 'ab', 'a-b', 'a+', '(', 'ü', '_', '0', 'a#', ' ', '[^a]')
  const text = (most: number) => fc.array(word, { minLength: 1, maxLength: most }).map((words) => words.join('.'))
  const pairs = [...examples, ...fc.sample(fc.tuple(text(4), text(5)), 3_000)]
  const { status, stderr, stdout } = spawnSync(SYSTEM_PYTHON, ['-c', script], {
    input: JSON.stringify(pairs),
    encoding: 'utf8',
    maxBuffer: 64 * 2 ** 20,
  })
  expect(status, stderr).toBe(0)
  const answers = JSON.parse(stdout) as [expression: string, matches: boolean][]
  expect(answers.filter(([, matches]) => matches).length).toBeGreaterThan(100)
  for (const [index, [pattern, key]] of pairs.entries()) {
    expect([pattern, key, kombuTopicExpression(pattern), kombuTopicMatches(pattern, key)]).toEqual([
      pattern,
      key,
      ...(answers[index] ?? []),
    ])
  }
})
