import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/**
 * Makes this thread understand TypeScript where `tsx` runs the program: on Node 20 it leaves threads out, and registers for the
 * main one alone.
 */
export async function useTsxOfProgram(): Promise<void> {
  const { typescript = false } = process.features as { typescript?: string | false }
  if (typescript !== false) return
  const loader = tsxLoader([...process.execArgv, ...(process.env['NODE_OPTIONS'] ?? '').split(/\s+/)])
  if (loader === undefined) return
  // Found as from inside of the package itself: it need not be one of the program's own.
  const require = createRequire(loader.includes('/') ? loader : join(process.cwd(), 'program.js'))
  const manifest = require.resolve('tsx/package.json')
  const { exports } = require(manifest) as TsxManifest
  for (const name of ['./cjs/api', './esm/api'] as const) {
    // What `require.resolve` gives is its CommonJS half, which does not find its own files in a thread.
    const api = new URL(exports[name].import.default, pathToFileURL(manifest))
    const { register } = (await import(api.href)) as { register(): unknown }
    register()
  }
}

interface TsxManifest {
  readonly exports: Readonly<Record<'./cjs/api' | './esm/api', { readonly import: { readonly default: string } }>>
}

/** What of these options of Node loads tsx: `tsx`, or the path or the URL of its loader. */
export function tsxLoader(execArgv: readonly string[]): string | undefined {
  for (const [i, argument] of execArgv.entries()) {
    const [, name = argument, value] = /^(--[a-z-]+)=(.*)$/.exec(argument) ?? []
    if (name !== '--import' && name !== '--loader' && name !== '--experimental-loader') continue
    const loader = (value ?? execArgv[i + 1] ?? '').replaceAll('\\', '/')
    if (loader === 'tsx' || loader === 'tsx/esm') return 'tsx'
    if (/\/tsx\/dist\/(loader|esm\/index)\.mjs$/.test(loader)) return loader
  }
  return undefined
}
