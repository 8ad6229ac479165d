import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { capture } from './lib/run.mjs'

/** A test, the name of a group of them, or what a row of documentation consists of. */
const proof = /\.test(-d)?\.ts|testkit\/|scripts\/check-|[\w/-]+\.md/

/**
 * Looks for tests that docs/compatibility.md names and that are not there, and for rows that name none: a row is done only
 * as long as its test is.
 *
 * @param {string} root
 * @returns {Promise<string[]>} a sentence for each finding
 */
export async function checkRows(root) {
  const { status, output } = await capture('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
  })
  if (status !== 0) return [`git could not list the files: ${output.trim()}`]
  const files = output.split('\0')
  const findings = []
  for (const line of (await readFile(join(root, 'docs/compatibility.md'), 'utf8')).split('\n')) {
    const [, row] = /^\| ([A-Z]+-\d+) \|/.exec(line) ?? []
    if (row === undefined) continue
    if (/ \| done \| /.test(line) && !proof.test(line)) {
      findings.push(`docs/compatibility.md, ${row}: it is done, and no test or document is named`)
    }
    for (const [test] of line.matchAll(/(?:[\w.-]+\/)+[\w.-]+\.test(?:-d)?\.ts/g)) {
      if (files.some((file) => file.endsWith(`/${test}`) || file === test)) continue
      findings.push(`docs/compatibility.md, ${row}: there is no test ${test}`)
    }
  }
  return findings
}
