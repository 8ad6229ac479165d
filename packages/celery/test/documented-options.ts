/** Tables of options in the guide, made from the comments of the public types. */
import { readFileSync } from 'node:fs'

/** A member of an interface, as its comment has it. */
interface Option {
  readonly name: string
  readonly meaning: string
  readonly normal: string
}

/** A Markdown table of the members of interfaces, as the declaration files of packages have them. The last of a name counts. */
export function optionTable(interfaces: readonly (readonly [declarations: URL, name: string])[]): string {
  const members = new Map<string, Option>()
  for (const [declarations, name] of interfaces) {
    for (const member of options(readFileSync(declarations, 'utf8'), name)) members.set(member.name, member)
  }
  return ['| option | default | |', '| --- | --- | --- |', ...[...members.values()].map(row)].join('\n')
}

function options(source: string, name: string): Option[] {
  const body = new RegExp(`^export interface ${name}\\b.*?\\{\\n(.*?)^\\}`, 'ms').exec(source)?.[1]
  if (body === undefined) throw new Error(`there is no interface ${name}`)
  const members = body.matchAll(/^ {4}(?:\/\*\*((?:(?!\*\/).)*)\*\/\s+)?(?:readonly )?(\w+)\?[:(]/gms)
  return [...members].map(([, comment = '', member = '']) => option(member, comment))
}

function option(name: string, comment: string): Option {
  const text = comment.replace(/\s*\n\s*\*? ?/g, ' ').replace(/\{@link (\w+)\}/g, '`$1`')
  const [meaning = '', normal = ''] = text.split('@defaultValue')
  if (meaning.trim() === '') throw new Error(`the comment of the option ${name} does not say what it is`)
  return { name, meaning: meaning.trim(), normal: normal.trim() }
}

function row({ meaning, name, normal }: Option): string {
  return `| \`${name}\` | ${normal.replaceAll('|', '\\|')} | ${meaning.replaceAll('|', '\\|')} |`.replaceAll(
    '|  |',
    '| |',
  )
}

/** Puts a table between the two comments that name it. */
export function withTable(page: string, name: string, table: string): string {
  const place = new RegExp(`(<!-- ${name}: [^>]*-->\\n\\n).*?(\\n\\n<!-- end of ${name} -->)`, 's')
  if (!place.test(page)) throw new Error(`there is no place for the table "${name}"`)
  return page.replace(place, (_all, before: string, after: string) => before + table + after)
}
