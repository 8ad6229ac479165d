/** Characters of a message that a log has room for. */
const longest = 10_000

/**
 * Text for a log. Task names, arguments and errors come from outside: no carriage return, escape sequence or endless line of
 * theirs may forge a log line. Line feeds stay, indented, because tracebacks need them.
 */
export function logText(message: string): string {
  const capped = message.length > longest ? `${message.slice(0, longest)}…` : message
  return capped.replace(controls, (character) =>
    character === '\n' ? '\n  ' : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about.
const controls = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g
