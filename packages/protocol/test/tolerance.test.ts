import { CeleryError } from '@celery/promises'
import { describe, expect, test } from 'vitest'
import { readGolden, type ToleranceCase, type ToleranceFile, VERSIONS } from './read-golden.ts'
import { receive } from './receive.ts'

type Answer = 'runs' | readonly [code: string, says: string]

const envelope = (says: string): Answer => ['ERR_CELERY_INVALID_ENVELOPE', says]
const task = (says: string): Answer => ['ERR_CELERY_INVALID_TASK_MESSAGE', says]

/** What Python's workers were tried with, and what ours says to it. Where Python dies, or loses the task, it says why. */
const ANSWERS: ReadonlyMap<string, Answer> = new Map([
  ['minimal_headers', 'runs'],
  ['lang_js_full', 'runs'],
  ['embed_null', 'runs'],
  ['retries_float', 'runs'],
  ['retries_null', 'runs'],
  ['timelimit_null', 'runs'],
  ['priority_null', 'runs'],
  ['raw_text_body', 'runs'],
  ['no_content_encoding', 'runs'],
  ['kwargs_body_object_with_headers', 'runs'],
  ['v1_minimal', 'runs'],
  ['headers_null', 'runs'],
  ['eta_z', 'runs'],
  ['eta_ms_z', 'runs'],
  ['expires_ms_z_future', 'runs'],
  ['expires_past_ms_z', 'runs'],
  ['unicode_body', 'runs'],
  ['typed_datetime', 'runs'],
  // Known or not is for the worker to say.
  ['unknown_task', 'runs'],
  // Python fails after the task has run.
  ['link_without_options', 'runs'],
  ['chain_minimal_sig', 'runs'],
  ['body_two_elements', task('body: expected [args, kwargs, embed], found [[1, 2], {}]')],
  ['no_id', task('headers.id: expected 1 to 255 printable characters, found nothing')],
  ['eta_number', task('headers.eta: expected an ISO 8601 time, found 1577836800')],
  ['content_type_charset', ['ERR_CELERY_CONTENT_DISALLOWED', 'application/json; charset=utf-8']],
  ['content_type_yaml_disallowed', ['ERR_CELERY_CONTENT_DISALLOWED', 'application/x-yaml']],
  ['broken_json_body', ['ERR_CELERY_DECODE', 'application/json']],
  // Before kombu 5.3 Python passed it through.
  ['typed_unknown', ['ERR_CELERY_DECODE', 'bad value of type "nope"']],
  ['content_type_missing', envelope('content-type: expected text such as "application/json"')],
  ['no_properties', envelope('properties: expected an object')],
  ['no_delivery_tag', envelope('properties.delivery_tag: expected text')],
  ['no_delivery_info', envelope('properties.delivery_info: expected an object with exchange and routing_key')],
  ['delivery_info_empty', envelope('properties.delivery_info.exchange: expected text')],
  ['not_json_at_all', envelope('position 0')],
])

describe.each(VERSIONS)('what a worker of Celery %s was tried with', (version) => {
  const { cases } = readGolden<ToleranceFile>(`tasks/tolerance-${version}.json`)

  test('all of it is in the table', () => {
    expect(cases.map((each) => each.case).sort()).toEqual([...ANSWERS.keys()].sort())
  })

  test.each(cases.map((each): [string, ToleranceCase] => [each.case, each]))('%s', (name, { message, outcome }) => {
    const payload = typeof message === 'string' ? message : JSON.stringify(message)
    const answer = ANSWERS.get(name)!
    if (answer === 'runs') {
      const { headers, body } = receive(payload)
      expect(headers.task).toMatch(/^wapp\.|^nope/)
      expect(headers.id).toMatch(/^[0-9a-f-]{36}$/)
      expect(body.args).toHaveLength(headers.task === 'wapp.echo' ? 1 : 2)
      expect(body.kwargs).toEqual({})
    } else {
      const [code, says] = answer
      // Nothing is refused that Python runs today.
      if (version === '5.6') expect(outcome).toBe('no result')
      const error = errorOf(() => receive(payload))
      expect(CeleryError.is(error, code), String(error)).toBe(true)
      expect(error.message).toContain(says)
      expect(error.message).toMatch(/^[\x20-\x7e]{1,300}$/)
    }
  })
})

function errorOf(run: () => unknown): Error {
  try {
    run()
  } catch (error) {
    return error as Error
  }
  throw new Error('it was read')
}
