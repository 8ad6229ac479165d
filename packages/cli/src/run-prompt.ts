import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { type REPLServer, start } from 'node:repl'
import { PassThrough } from 'node:stream'
import type { Celery } from '@celery/app'

/**
 * Node's own prompt at the terminal, or for the lines of a program, with these names in it. Resolves when it is left: to the
 * exit status, which is 1 where a line of a program threw.
 */
export async function runPrompt(app: Celery, names: Readonly<Record<string, unknown>>): Promise<number> {
  const isTerminal = process.stdin.isTTY === true
  if (isTerminal) process.stdout.write(`${app}, at ${app.brokerAddress}. Ctrl-D ends it.\n`)
  const input = isTerminal ? process.stdin : new PassThrough()
  const prompt = start({
    prompt: isTerminal ? 'celery> ' : '',
    input,
    output: process.stdout,
    ignoreUndefined: true,
    terminal: isTerminal,
    useColors: isTerminal && process.stdout.hasColors() && !process.env.NO_COLOR,
  })
  for (const [name, value] of Object.entries(names)) {
    Object.defineProperty(prompt.context, name, { value, configurable: true, enumerable: true, writable: true })
  }
  const ended = once(prompt, 'exit')
  if (input instanceof PassThrough) await Promise.race([feed(prompt, input), ended])
  await ended
  return !isTerminal && prompt.context['_error'] !== undefined ? 1 : 0
}

/** A program's lines, each when the one before has been answered: the prompt does not wait for what these await. */
async function feed(prompt: REPLServer, input: PassThrough): Promise<void> {
  let answered = (): void => {}
  // Nobody sees it, and the dots of a second line would be taken for a part of the answer.
  prompt.displayPrompt = () => {
    prompt.resume()
    answered()
  }
  for await (const line of createInterface({ input: process.stdin })) {
    const answer = new Promise<void>((resolve) => {
      answered = resolve
    })
    input.write(`${line}\n`)
    await answer
  }
  input.end()
}
