import { extname } from 'node:path'

/** Makes `import()` understand `file`, here and in child processes and threads, if it is TypeScript and Node itself does not. */
export async function prepareFor(file: string): Promise<void> {
  // tsx's own `--import tsx` leaves out the threads of Node 20.
  const loader = new URL('./register-typescript.js', import.meta.url).href
  if (!/^\.[mc]?tsx?$/.test(extname(file)) || loadsTypeScript() || process.execArgv.includes(loader)) return
  // Whatever is imported after tsx goes through it, which costs several times as much.
  await import('@celery/app')
  await import(loader)
  // Of the flags of this process children are made, those of a worker that the module starts too.
  process.execArgv.push('--import', loader)
}

function loadsTypeScript(): boolean {
  const { typescript = false } = process.features as { typescript?: string | false }
  return typescript !== false
}
