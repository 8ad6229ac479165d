import { UsageError } from './usage-error.ts'

/** Where to ask. */
export interface Terminal {
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean }
  readonly output: NodeJS.WritableStream & { readonly isTTY?: boolean }
}

/**
 * Asks before something that cannot be taken back. Only `yes`, or `y`, is one; Ctrl-C and Ctrl-D are none.
 * @throws UsageError where nobody can be asked.
 */
export async function confirm(
  what: string,
  { input, output }: Terminal = { input: process.stdin, output: process.stdout },
): Promise<boolean> {
  if (!input.isTTY || !output.isTTY) {
    throw new UsageError(`${what} There is no terminal to ask at: say -f if that is what you want`)
  }
  const { createInterface } = await import('node:readline/promises')
  const terminal = createInterface({ input, output })
  try {
    const answer = await terminal.question(`${what} There is no undo.\nAre you sure? [yes/no] `)
    return /^y(es)?$/i.test(answer.trim())
  } catch (error) {
    if ((error as Error).name !== 'AbortError') throw error
    output.write('\n')
    return false
  } finally {
    terminal.close()
  }
}
