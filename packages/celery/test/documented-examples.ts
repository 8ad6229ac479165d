/** Reads programs out of a page, so that what a reader copies is what the tests run. */
import { readFileSync } from 'node:fs'

/** A fenced block whose first line is a comment with a file name, such as `// client.ts`. */
export interface Example {
  readonly file: string
  readonly source: string
  /** What it prints: the comments behind its calls of `console.log`, in order. */
  readonly output: readonly string[]
}

/** The named blocks of a Markdown page, by file name. */
export function readExamples(page: URL): ReadonlyMap<string, Example> {
  const examples = new Map<string, Example>()
  for (const [, source = ''] of readFileSync(page, 'utf8').matchAll(/^```(?:ts|json)\n(.*?)^```$/gms)) {
    const file = /^\/\/ ([\w-]+\.(?:ts|json))\n/.exec(source)?.[1]
    if (file === undefined) continue
    if (examples.has(file)) throw new Error(`${page.pathname} has two examples called ${file}`)
    examples.set(file, { file, source, output: documentedOutput(file, source) })
  }
  return examples
}

function documentedOutput(file: string, source: string): string[] {
  const output: string[] = []
  for (const line of source.split('\n')) {
    if (!line.includes('console.log(')) continue
    const comment = /\) \/\/ (.+)$/.exec(line)?.[1]
    if (comment === undefined) throw new Error(`${file} does not say what this prints: ${line.trim()}`)
    output.push(comment)
  }
  return output
}
