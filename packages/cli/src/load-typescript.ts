import { extname } from 'node:path'

/**
 * Makes `import()` understand `file`, if it is TypeScript and Node itself does not. Gives the flags of Node that do the same
 * in child processes and threads.
 */
export async function prepareFor(file: string): Promise<readonly string[]> {
  if (!/^\.[mc]?tsx?$/.test(extname(file)) || loadsTypeScript()) return process.execArgv
  // tsx's own `--import tsx` leaves out the threads of Node 20.
  const loader = new URL('./register-typescript.js', import.meta.url).href
  await import(loader)
  return [...process.execArgv, '--import', loader]
}

function loadsTypeScript(): boolean {
  const { typescript = false } = process.features as { typescript?: string | false }
  return typescript !== false
}
