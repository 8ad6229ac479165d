import { readFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { capture } from './lib/run.mjs'

/**
 * Looks for absolute paths of the machine the work is done on, which mean nothing on another one.
 *
 * @param {string} root
 * @returns {Promise<string[]>} a sentence for each finding
 */
export async function checkWords(root) {
  // Tracked files and those that would be added.
  const { status, output } = await capture('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
  })
  if (status !== 0) return [`git could not list the files: ${output.trim()}`]
  const pattern = machinePaths(root)
  const findings = []
  for (const name of new Set(output.split('\0'))) {
    if (name === '') continue
    // A file that is listed but gone was deleted and not yet committed.
    const content = await readFile(join(root, name), 'utf8').catch(() => '')
    if (content.includes('\0')) continue
    for (const [index, line] of content.split('\n').entries()) {
      const found = pattern.exec(line)
      if (found !== null) findings.push(`${name}:${index + 1} holds a path of this machine: ${found[0]}`)
    }
  }
  return findings
}

/**
 * The checkout itself, the folder that holds it and the home folder; `fetch/home/x` or `./home/x` is another matter.
 *
 * @param {string} root
 */
function machinePaths(root) {
  const parent = dirname(root)
  const folders = [root, homedir(), ...(parent === '/' || parent === tmpdir() ? [] : [parent])]
  return new RegExp(`(?<![\\w.*)}-])(?:${folders.map(escapePattern).join('|')})(?=/)[\\w./-]*`)
}

/** @param {string} text */
function escapePattern(text) {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}
