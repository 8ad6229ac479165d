import type { DeadLetter } from '@celery/app'
import { printable } from '@celery/app/internal'

/** Most bytes of a body that are shown. */
const bodyBytes = 1_024

/** One of them on a line: id, task, queue and why. */
export function deadLetterLine({ id, queue, reason, task }: DeadLetter): string {
  return [printable(id), printable(task ?? '-'), printable(queue), printable(reason)].join('  ')
}

/** Who, what and why, a line each, and the beginning of the body. */
export function deadLetterText(letter: DeadLetter): string {
  const { argsrepr, error, eta, expires, id, kwargsrepr, message, origin, queue, reason, retries, task } = letter
  const lines = [
    ['id', id],
    ['task', task],
    ['queue', queue],
    ['reason', reason],
    ['problem', error !== undefined && error.message !== reason ? error.message : undefined],
    ['args', argsrepr],
    ['kwargs', kwargsrepr],
    ['retries', retries === 0 ? undefined : String(retries)],
    ['eta', eta],
    ['expires', expires],
    ['sent by', origin],
    ['content type', message?.contentType],
    ['body', body(letter)],
  ] as const
  return lines
    .filter(([, value]) => value !== undefined && value !== '')
    .map(([name, value]) => `${`${name}:`.padEnd(14)}${name === 'body' ? value : printable(value ?? '', 1_000)}\n`)
    .join('')
}

function body({ message, payload }: DeadLetter): string {
  const content = message?.body ?? (payload as string | Uint8Array)
  const bytes = typeof content === 'string' ? Buffer.from(content.slice(0, bodyBytes)) : Buffer.from(content)
  const total = typeof content === 'string' ? Buffer.byteLength(content) : content.byteLength
  // A character that was cut in two is no text.
  const shown = new TextDecoder().decode(bytes.subarray(0, bodyBytes), { stream: true })
  const rest = total > bodyBytes ? ` … (${total} bytes)` : ''
  return `${printable(shown, Number.POSITIVE_INFINITY)}${rest}`
}
