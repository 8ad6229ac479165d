import { relative } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

export interface TaskNameOptions {
  /** Folder from which modules are named. */
  readonly root: string
  /** Stands for the program's own module. */
  readonly main: string
  /** File of the program. @defaultValue that of the process */
  readonly program?: string | undefined
}

/**
 * `<module>.<name>`, where the module is its path from the root, with dots and without an extension: `add` of
 * `proj/video/tasks.ts` is `proj.video.tasks.add`. An `index` is named as its folder, and the program's own module as the
 * app, since it may be called anything.
 * @param module - its `import.meta.url`
 */
export function taskNameOf(
  name: string,
  module: string,
  { main, program = process.argv[1], root }: TaskNameOptions,
): string {
  if (program !== undefined && module === pathToFileURL(program).href) return `${main}.${name}`
  const path = relative(root, fileURLToPath(module))
  const parts = path.replace(/\.[cm]?[jt]sx?$/, '').split(/[\\/]/)
  const named = parts.filter((part) => part !== '..' && part !== '.')
  if (named.length > 1 && named.at(-1) === 'index') named.pop()
  return [...named, name].join('.')
}
