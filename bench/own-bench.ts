import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import type { Results } from './report'
import type { Row, Section } from './row'

/**
 * A section in which code of the plugin runs in the process of the bench: the other version is measured by its own
 * bench, after this one.
 */
export function withOwnBench(section: Section): Section {
  const run: Section['run'] = async (how) => {
    const measured = await section.run(how)
    if (how.against === undefined) return measured
    how.say('the other version, by its own bench')
    return {
      ...measured,
      rows: withFigures(measured.rows, await rowsOf(section.name, how.against, how.quick)),
    }
  }
  return { ...section, run }
}

/** The rows that the bench in another folder has for a section. */
async function rowsOf(name: string, folder: string, quick: boolean): Promise<readonly Row[]> {
  const args = ['--require', 'tsx/cjs', 'bench/bench.ts', '--only', name]
  await promisify(execFile)(process.execPath, [...args, ...(quick ? ['--quick'] : [])], {
    cwd: folder,
  })
  const file = path.join(folder, 'bench/results/performance/latest.json')
  const { sections } = JSON.parse(readFileSync(file, 'utf8')) as Results
  return sections.flatMap(({ rows }) => rows)
}

/** The rows, with the figures of rows of the same name as those of the other version. */
export function withFigures(rows: readonly Row[], others: readonly Row[]): Row[] {
  const figures = new Map(others.map(({ what, figure }) => [what, figure]))
  return rows.map((row) => {
    const before = figures.get(row.what)
    return before === undefined ? row : { ...row, before }
  })
}
