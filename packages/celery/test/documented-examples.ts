/** Reads programs out of a page, so that what a reader copies is what the tests run. */
import { readFileSync } from 'node:fs'

/** A fenced block whose first line is a comment with a file name, such as `// client.ts`. */
export interface Example {
  readonly file: string
  readonly source: string
  /** What it prints: the comments behind its calls of `console.log`, or on the next line, in order. */
  readonly output: readonly string[]
}

/** The named blocks of a Markdown page, by file name. */
export function readExamples(page: URL): ReadonlyMap<string, Example> {
  const examples = new Map<string, Example>()
  for (const source of codeBlocks(page)) {
    const file = /^\/\/ ([\w./-]+\.(?:ts|mjs|json))\n/.exec(source)?.[1]
    if (file === undefined) continue
    if (examples.has(file)) throw new Error(`${page.pathname} has two examples called ${file}`)
    examples.set(file, { file, source, output: documentedOutput(file, source) })
  }
  return examples
}

/** The named blocks in Python, by file name; what they print stands behind their calls of `print`. */
export function readPythonExamples(page: URL): ReadonlyMap<string, Example> {
  const blocks = [...readFileSync(page, 'utf8').matchAll(/^```python\n# ([\w.]+)\n(.*?)^```$/gms)]
  return new Map(
    blocks.map(([, file = '', source = '']) => {
      const output = [...source.matchAll(/^ *print\(.*\) # (.+)$/gm)].map(([, printed = '']) => printed)
      return [file, { file, source, output }]
    }),
  )
}

/** The code of a page, named or not. */
export function codeBlocks(page: URL): readonly string[] {
  return [...readFileSync(page, 'utf8').matchAll(/^```(?:ts|js|json)\n(.*?)^```$/gms)].map(([, source = '']) => source)
}

/** What a terminal shows: a command and the lines that it prints, in which `…` stands for what differs each time. */
export interface Transcript {
  readonly command: string
  readonly output: readonly string[]
}

/** The commands of the `console` blocks of a page, in order. A line that begins with `$ ` is one. */
export function readTranscripts(page: URL): readonly Transcript[] {
  const transcripts: { command: string; output: string[] }[] = []
  for (const [, block = ''] of readFileSync(page, 'utf8').matchAll(/^```console\n(.*?)^```$/gms)) {
    for (const line of block.split('\n').slice(0, -1)) {
      if (line.startsWith('$ ')) transcripts.push({ command: line.slice(2), output: [] })
      else transcripts.at(-1)?.output.push(line)
    }
  }
  return transcripts
}

function documentedOutput(file: string, source: string): string[] {
  const output: string[] = []
  const lines = source.split('\n')
  for (const [index, line] of lines.entries()) {
    if (!line.includes('console.log(')) continue
    const comment = /\),? \/\/ (.+)$/.exec(line)?.[1] ?? /^ *\/\/ (.+)$/.exec(lines[index + 1] ?? '')?.[1]
    if (comment === undefined) throw new Error(`${file} does not say what this prints: ${line.trim()}`)
    output.push(comment)
  }
  return output
}
