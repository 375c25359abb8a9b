import Table from 'cli-table3'
import type { Machine } from './machine'
import type { Plot } from './plot'
import type { Measured, Row } from './row'

/** A section and what it brought. */
export interface SectionResult extends Measured {
  readonly name: string
  readonly title: string
  readonly meaning: string
  /** How long it took; `undefined`: it comes from the work of another. */
  readonly seconds?: number
}

/** The whole run. */
export interface Results {
  /** What was run: `npm run bench`. */
  readonly command: string
  readonly startedAt: string
  readonly seconds: number
  readonly quick: boolean
  readonly machine: Machine
  readonly warnings: readonly string[]
  readonly sections: readonly SectionResult[]
}

const HEAD = ['', 'figure', 'target', '', 'spread, and what stands behind it'] as const
const PLAIN = { head: [], border: [] }

/** One table for a terminal. */
export function toTable({ sections }: Results): string {
  const table = new Table({
    head: [...HEAD],
    style: PLAIN,
    colWidths: [46, null, null, null, 56],
    wordWrap: true,
  })
  for (const { title, rows } of sections) {
    table.push([{ content: title.toUpperCase(), colSpan: HEAD.length }])
    for (const row of rows) table.push(cells(row))
  }
  return table.toString()
}

function escaped(cell: string): string {
  return cell.replaceAll('|', '\\|')
}

function cells({ what, figure, target, detail = '' }: Row): string[] {
  return [what, figure, target?.text ?? '', target ? (target.met ? 'met' : 'MISSED') : '', detail]
}

/** What was measured where, in sentences. */
export function facts({
  machine,
  quick,
  seconds,
  startedAt,
  warnings,
  sections,
}: Results): string[] {
  const { cpu, cores, memoryGb, system, node, haraka, redis, plugin, peers, loadBefore } = machine
  const taken = sections.flatMap(takenBy)
  return [
    `${startedAt}, ${Math.round(seconds)} s${quick ? ', --quick: a look only, too short to judge by' : ''}.`,
    `${cores} cores of ${cpu}, ${memoryGb} GB, ${system}; load before: ${loadBefore.map((load) => load.toFixed(2)).join(' ')}.`,
    `Plugin ${plugin}, Haraka ${haraka}, Node.js ${node}, Redis ${redis}.`,
    ...(peers.length > 0 ? [`To compare with: ${peers.join(', ')}.`] : []),
    ...(taken.length > 0 ? [`Seconds taken: ${taken.join(', ')}.`] : []),
    ...warnings,
  ]
}

function takenBy({ name, seconds }: SectionResult): string[] {
  return seconds === undefined ? [] : [`${name} ${Math.round(seconds)}`]
}

/** Which targets were missed. */
export function verdict({ sections }: Results): string {
  const rows = sections.flatMap((section) => section.rows)
  const aimed = rows.filter(({ target }) => target)
  const missed = aimed.filter(({ target }) => !target?.met)
  if (aimed.length === 0) return 'No targets here.'
  if (missed.length === 0) return `All ${aimed.length} targets are met.`
  const list = missed.map(
    ({ what, figure, target }) => `\n- ${what}: ${figure}, target ${target?.text}`,
  )
  return `${missed.length} of ${aimed.length} targets missed:${list.join('')}`
}

/** The name of a picture's file, beside the page. */
export function fileOf({ name }: Plot): string {
  return `${name}.svg`
}

/** The whole as a Markdown page that shows the pictures beside it. */
export function toMarkdown(results: Results): string {
  const parts = results.sections.map(({ title, meaning, rows, plots = [] }) => {
    const lines = rows.map((row) => `| ${cells(row).map(escaped).join(' | ')} |`)
    const head = `| ${HEAD.join(' | ')} |\n|---|---|---|---|---|`
    const pictures = plots.map((plot) => `\n![${plot.title}](${fileOf(plot)})\n`)
    return `## ${title}\n\n${meaning}\n\n${[head, ...lines].join('\n')}\n${pictures.join('')}`
  })
  const about = facts(results)
    .map((fact) => `- ${fact}`)
    .join('\n')
  return `# Results of \`${results.command}\`\n\n${about}\n\n${verdict(results)}\n\n${parts.join('\n')}`
}
