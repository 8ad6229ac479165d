import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import * as errors from './app-errors.ts'
import { defaultSettings } from './settings.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
const rows = readme.split('\n').filter((line) => line.startsWith('| `'))

describe('the README', () => {
  test.each(Object.keys(defaultSettings))('has the setting %s', (name) => {
    expect(rows.filter((row) => row.split('|')[1]?.includes(`\`${name}\``))).not.toEqual([])
  })

  test.each(Object.keys(errors))('has the error %s', (name) => {
    expect(rows.filter((row) => row.split('|')[2]?.trim() === `\`${name}\``)).toHaveLength(1)
  })
})
