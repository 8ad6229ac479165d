import { statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The Node that reads the modules. */
export interface ModuleReader {
  /** `v20.19.0` */
  readonly version: string
  /** Whether it takes the types out of TypeScript by itself. */
  readonly readsTypeScript: boolean
}

const { typescript = false } = process.features as { readonly typescript?: string | false }
const thisNode: ModuleReader = { version: process.version, readsTypeScript: typescript !== false }

/** What to do where Node, and not the module's own code, is why it cannot be imported; `undefined` for every other error. */
export function moduleHint(error: unknown, node: ModuleReader = thisNode): string | undefined {
  const { code, message } = (error ?? {}) as { readonly code?: unknown; readonly message?: unknown }
  const text = String(message)
  if (code === 'ERR_UNKNOWN_FILE_EXTENSION') return /"\.[cm]?tsx?"/.test(text) ? javaScriptAlone(node) : undefined
  if (code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX') return typesAlone(node)
  if (code === 'ERR_MODULE_NOT_FOUND') return sourceHint(text, node)
  if (notInCommonJs.some((pattern) => pattern.test(text))) return commonJs
  return undefined
}

function javaScriptAlone({ version }: ModuleReader): string {
  return `Node ${version} reads JavaScript alone: name the compiled module, or start with TypeScript (npx tsx program.ts, celery -A ./tasks.ts)`
}

const byTsx = 'let tsx load it: npm install tsx, and set NODE_OPTIONS="--import tsx"'

function typesAlone({ version }: ModuleReader): string {
  return `Node ${version} takes types out of TypeScript and translates nothing: write it without what has to be translated (an object of constants in place of an enum), or ${byTsx}`
}

/** Compilers take `./app.js` for `app.ts`, and some `./app`; Node takes it as it is written. */
function sourceHint(message: string, node: ModuleReader): string | undefined {
  const missing = /^Cannot find module '(.+?)' imported from /.exec(message)?.[1]
  if (missing === undefined) return undefined
  const path = missing.startsWith('file:') ? fileURLToPath(missing) : missing
  const source = [path.replace(/\.([cm]?)js(x?)$/, '.$1ts$2'), `${path}.ts`].find(isFile)
  if (source === undefined) return undefined
  if (!node.readsTypeScript) return `there is ${source}, but ${javaScriptAlone(node)}`
  return `there is ${source}, and Node ${node.version} takes what is imported as it is written: write the extension .ts, or ${byTsx}`
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true
}

/** In the words of Node and of esbuild, which is what tsx translates with. */
const notInCommonJs: readonly RegExp[] = [
  /^Cannot use import statement outside a module$/,
  /^Unexpected token 'export'$/,
  /^await is only valid in async functions and the top level bodies of modules$/,
  /^Transform failed[\s\S]*Top-level await is currently not supported with the "cjs" output format/,
]

const commonJs =
  'it is read as CommonJS: put "type": "module" into the nearest package.json, or name the file .mts or .mjs'
