import { existsSync, readFileSync, statSync } from 'node:fs'

/** The links of a page that lead to no file of the repository, or to no heading in it. Other sites are not asked. */
export function brokenLinks(page: URL): readonly string[] {
  const links = [...text(page).matchAll(/\]\(([^()\s]+)\)/g)].map(([, link = '']) => link)
  return links.filter((link) => !/^[a-z]+:/.test(link) && !leadsSomewhere(new URL(link, page)))
}

function leadsSomewhere(target: URL): boolean {
  const heading = decodeURIComponent(target.hash.slice(1))
  const file = new URL(target)
  file.hash = ''
  if (!existsSync(file)) return false
  if (heading === '') return true
  return !statSync(file).isDirectory() && headings(file).has(heading)
}

/** As GitHub names them. */
function headings(page: URL): ReadonlySet<string> {
  const titles = [...text(page).matchAll(/^#+ (.+)$/gm)].map(([, title = '']) => title)
  return new Set(
    titles.map((title) =>
      title
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replace(/\s/g, '-'),
    ),
  )
}

/** Without blocks of code, in which `#` begins a comment. */
function text(page: URL): string {
  return readFileSync(page, 'utf8').replace(/^```.*?^```$/gms, '')
}
