import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import * as callErrors from './call-errors.ts'
import * as runErrors from './run-errors.ts'
import * as runRequests from './run-requests.ts'
import type { SettingDefinition } from './setting-kinds.ts'
import { type SettingName, settingDefinitions } from './settings.ts'
import * as setupErrors from './setup-errors.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
const rows = readme.split('\n').filter((line) => line.startsWith('| `'))
const source = readFileSync(new URL('./settings.ts', import.meta.url), 'utf8')

const errors = [setupErrors, callErrors, runErrors, runRequests].flatMap((classes) => Object.keys(classes))

const opening = `# Settings

All settings, with Celery's names in camelCase; snake_case and the names of Celery 3, such as \`CELERY_ACKS_LATE\`, are
understood too. Times are in seconds, unless a name ends in its unit. This page is made from
\`packages/app/src/settings.ts\` by its test: \`npx vitest run documented-settings -u\` in \`packages/app\` writes it anew.

Settings marked *later* are accepted and said once to be without effect; those marked *declined* will stay so, for the reason
given.
`

describe('the documentation', () => {
  test('has every setting, with its default and what it does', async () => {
    await expect(settingsPage()).toMatchFileSnapshot('../../../docs/settings.md')
  })

  test.each(errors)('has the error %s', (name) => {
    expect(rows.filter((row) => row.split('|')[2]?.trim() === `\`${name}\``)).toHaveLength(1)
  })
})

/** The comments of the table are read from its source: no program needs them. */
function settingsPage(): string {
  const table = source.slice(source.indexOf('const settingTable = {'), source.indexOf('} as const'))
  const page = [opening]
  for (const [, comment, section, name] of table.matchAll(/\/\*\*(.*?)\*\/|^ {2}\/\/ ([^\n]*)$|^ {2}(\w+): \{/gms)) {
    if (section !== undefined) page.push(`\n## ${section}\n\n| setting | default | |\n| --- | --- | --- |\n`)
    if (comment !== undefined) page.push(comment)
    if (name !== undefined) page.push(row(name as SettingName, page.pop() ?? ''))
  }
  return page.join('')
}

function row(name: SettingName, comment: string): string {
  const definition: SettingDefinition = settingDefinitions[name]
  const meaning = comment.replace(/\s*\n\s*\*? ?/g, ' ').trim()
  expect(meaning, `${name} is without a comment`).toMatch(/\.$|…$/)
  return `| \`${name}\` | ${shown(definition)} | ${meaning}${remark(definition)} |\n`.replace(/\|(?=[^ \n-])/g, '\\|')
}

function shown({ choices, default: normal }: SettingDefinition): string {
  if (normal === undefined) return 'none'
  const others = choices?.filter((choice) => choice !== normal).map((choice) => `\`${inspect(choice)}\``) ?? []
  const text =
    typeof normal === 'number'
      ? normal.toLocaleString('en')
      : `\`${inspect(normal, { breakLength: Number.POSITIVE_INFINITY })}\``
  return others.length === 0 ? text : `${text}, or ${others.join(', ')}`
}

function remark({ declined, later }: SettingDefinition): string {
  if (declined !== undefined) return ` *Declined: ${declined}.*`
  return later ? ' *Later.*' : ''
}
