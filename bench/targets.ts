import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { facts, isMet, markdownTable, type Results } from './report'

const PAGE = path.resolve(__dirname, '../docs/performance.md')

/** All rows with a target that were measured for both versions, and what to compare them with, in Markdown. */
export function targetTable({ sections }: Results): string {
  const lines = sections.flatMap(({ title, rows }) =>
    rows
      .filter(({ target, before, context }) => context || (target && before !== undefined))
      .map(({ what, before = '', figure, target }) => {
        return [title, what, before, figure, target?.text ?? '', isMet(target)]
      }),
  )
  return markdownTable([['', '', 'Before', 'Now', 'Target', ''], ...lines])
}

/** Where {@link targetTable} is in a page. */
const BEGIN = '<!-- targets -->\n'
const END = '<!-- /targets -->'

/**
 * The page with the table of targets replaced, and what the run was.
 *
 * @throws Error where the page has no place for it
 */
export function withTargets(page: string, results: Results): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (begin < 0 || end < begin) throw new Error(`no ${BEGIN.trim()} … ${END} in the page`)
  const about = facts(results).map((fact) => `- ${fact}\n`)
  const table = `\n${targetTable(results)}\n${about.join('')}\n`
  return page.slice(0, begin + BEGIN.length) + table + page.slice(end)
}

/** Writes the targets of this run to docs/performance.md. */
export async function publishTargets(results: Results): Promise<void> {
  const { format, resolveConfig } = await import('prettier')
  const page = withTargets(readFileSync(PAGE, 'utf8'), results)
  writeFileSync(PAGE, await format(page, { ...(await resolveConfig(PAGE)), filepath: PAGE }))
}
