import type { Example } from './documented-examples.ts'
import type { ProjectFolder } from './project-folder.ts'

/** For `tsc`, in a folder with programs of the documentation: as strict as a user may have it. */
export const tsconfig: string = JSON.stringify({
  compilerOptions: {
    target: 'es2022',
    module: 'nodenext',
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    allowImportingTsExtensions: true,
    noEmit: true,
  },
  include: ['**/*.ts'],
})

/** What programs of a folder print, by file: those that share a module each in a process, the others one after the other in one. */
export async function printedBy(
  folder: ProjectFolder,
  programs: readonly Example[],
): Promise<Readonly<Record<string, readonly string[]>>> {
  const alone = programs.filter(({ source }) => /from '\.\.?\//.test(source))
  const together = programs.filter((program) => !alone.includes(program)).map(({ file }) => file)
  const output: Record<string, readonly string[]> = {}
  for (const { file } of alone) output[file] = await folder.run(file)
  folder.write('all.ts', oneAfterTheOther(together))
  let lines: string[] = []
  for (const line of await folder.run('all.ts')) {
    if (line.startsWith(mark)) {
      lines = []
      output[line.slice(mark.length)] = lines
    } else {
      lines.push(line)
    }
  }
  return output
}

/** Stands before the name of the file that prints what follows. */
const mark = '=== '

function oneAfterTheOther(files: readonly string[]): string {
  return `for (const file of ${JSON.stringify(files)}) {
    console.log(${JSON.stringify(mark)} + file)
    await import('./' + file)
  }`
}
