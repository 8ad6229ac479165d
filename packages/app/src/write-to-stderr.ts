/** The streams whose errors are taken; a program may put another one in the place of its own. */
const heard = new WeakSet<NodeJS.WriteStream>()

/**
 * Writes to standard error. What cannot be written, as its disk is full or its reader has gone, is lost: it is no reason for
 * the process to end, and the tasks that it runs with it, as it would for an error that nobody takes.
 */
export function writeToStderr(text: string): void {
  const { stderr } = process
  if (!heard.has(stderr)) {
    heard.add(stderr)
    stderr.on('error', () => {})
  }
  stderr.write(text)
}
