import { readFileSync } from 'node:fs'
import path from 'node:path'
import { packageRoot } from '../../src/base/package-root'

/**
 * The blocks of code under a heading of a page, in order, for tests that run the commands of the page.
 *
 * @throws Error when the page has no such heading
 */
export function documented(page: string, heading: string): string[] {
  const text = readFileSync(path.join(packageRoot(), page), 'utf8')
  const sections = text.split(/^#+ /m)
  const section = sections.find((each) => each.startsWith(`${heading}\n`))
  if (section === undefined) throw new Error(`${page} has no heading ${heading}`)
  return [...section.matchAll(/^```\w*\n([^]*?)^```$/gm)].map(([, block = '']) => block)
}
