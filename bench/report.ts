import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { tableLines, type Box } from '../src/cli/kit/table'
import { draw } from './chart'
import type { Measured, Row } from './row'

const ROOT = path.resolve(__dirname, '..')

/** A section and what it measured. */
export interface SectionResult extends Measured {
  readonly name: string
  readonly title: string
  readonly meaning: string
  /** How long it took. */
  readonly seconds?: number
}

/** The whole run. */
export interface Results {
  /** `npm run bench` */
  readonly command: string
  readonly startedAt: string
  readonly seconds: number
  readonly quick: boolean
  /** Where and with what, in sentences. */
  readonly machine: readonly string[]
  readonly sections: readonly SectionResult[]
}

/**
 * Prints the results, and writes them as a page with pictures and as JSON.
 *
 * @param name of the folder below bench/results, and below docs where the results are published
 * @param page the file of the published results; without it they are not published
 */
export async function present(results: Results, name: string, page?: string): Promise<void> {
  console.log(toTable(results))
  for (const { title, meaning } of results.sections) console.log(`${title}. ${meaning}\n`)
  console.log(`${facts(results).join('\n')}\n\n${verdict(results)}\n`)
  const folder = path.join(ROOT, 'bench/results', name)
  await writePage(folder, 'latest.md', results)
  writeFileSync(path.join(folder, 'latest.json'), `${JSON.stringify(results, undefined, 2)}\n`)
  if (page !== undefined) await writePage(path.join(ROOT, 'docs', name), page, results)
}

/** Writes the page, and the pictures it shows. */
export async function writePage(folder: string, page: string, results: Results): Promise<void> {
  mkdirSync(folder, { recursive: true })
  writeFileSync(path.join(folder, page), toMarkdown(results))
  for (const picture of results.sections.flatMap(({ pictures = [] }) => pictures)) {
    writeFileSync(path.join(folder, `${picture.name}.svg`), await draw(picture))
  }
  console.log(`Written to ${path.relative(process.cwd(), path.join(folder, page))}`)
}

/** The columns of a section; `before` only where another version was measured. */
function columns(rows: readonly Row[]): string[][] {
  const compares = rows.some(({ before }) => before !== undefined)
  const head = ['', 'figure', ...(compares ? ['before'] : []), 'target', '', 'spread and details']
  const cells = ({ what, figure, before = '', target, detail = '' }: Row): string[] => [
    ...[what, figure, ...(compares ? [before] : [])],
    ...[target?.text ?? '', isMet(target), detail],
  ]
  return [head, ...rows.map(cells)]
}

export function isMet(target: Row['target']): string {
  return target === undefined ? '' : target.met ? 'met' : 'MISSED'
}

/** What a terminal shows of a row, in columns. */
const ROOM = 140

/** All rows, for a terminal. */
export function toTable({ sections }: Results): string {
  return sections
    .flatMap(({ title, rows }) => {
      const [head = [], ...lines] = columns(rows).map((row) => row.map((text): Box => ({ text })))
      return [title.toUpperCase(), ...tableLines(head, lines, ROOM), '']
    })
    .join('\n')
}

/** The whole run as a page with its pictures. */
export function toMarkdown(results: Results): string {
  const list = facts(results).map((fact) => `- ${fact}\n`)
  const sections = results.sections.map(({ title, meaning, rows, pictures = [] }) => {
    const lines = markdownTable(columns(rows))
    const shown = pictures.map((picture) => `\n![${picture.title}](${picture.name}.svg)\n`)
    return `\n## ${title}\n\n${meaning}\n\n${lines}${shown.join('')}`
  })
  return `# Results of \`${results.command}\`\n\n${list.join('')}\n${verdict(results)}\n${sections.join('')}`
}

export function markdownTable([head = [], ...lines]: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...lines]
    .map((line) => `| ${line.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`)
    .join('')
}

/** When and on what the results were measured, in sentences. */
export function facts({ startedAt, seconds, quick, machine, sections }: Results): string[] {
  const each = sections.flatMap(({ name, seconds }) =>
    seconds === undefined ? [] : [`${name} ${Math.round(seconds)}`],
  )
  return [
    `${startedAt}, ${Math.round(seconds)} s${quick ? ', --quick: too short to judge by' : ''}.`,
    ...machine,
    ...(each.length > 0 ? [`Seconds a section: ${each.join(', ')}.`] : []),
  ]
}

/** Which targets are missed. */
export function verdict({ sections }: Results): string {
  const aimed = sections.flatMap(({ rows }) => rows).filter(({ target }) => target)
  const missed = aimed.filter(({ target }) => !target?.met)
  if (missed.length === 0) return `All ${aimed.length} targets are met.`
  const list = missed.map(
    ({ what, figure, target }) => `\n- ${what}: ${figure}, target ${target?.text}`,
  )
  return `${missed.length} of ${aimed.length} targets are missed:${list.join('')}`
}
