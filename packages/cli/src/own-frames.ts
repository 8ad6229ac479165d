/**
 * An error as its stack, of which only the lines are kept that show the user's own code: nothing of Node or of packages, and
 * nothing of who imported the module.
 */
export function ownFrames(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { stack = String(error) } = error
  const lines = stack.split('\n')
  const importedFrom = lines.findIndex((line) => loader.test(line))
  return lines
    .slice(0, importedFrom === -1 ? undefined : importedFrom)
    .filter((line) => !foreign.test(line))
    .join('\n')
}

const loader = /^ {4}at .*\bnode:internal\/modules\/esm\//
const foreign = /^ {4}at (.*(\bnode:|[\\/]node_modules[\\/])|.*<anonymous>\)$)/
