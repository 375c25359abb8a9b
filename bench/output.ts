import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { drawAll } from './chart'
import { fileOf, toMarkdown, type Results } from './report'

/** Writes the page and the pictures that it shows; pictures of an earlier run go. */
export async function writePage(
  folder: string,
  page: string,
  results: Results,
): Promise<readonly string[]> {
  mkdirSync(folder, { recursive: true })
  for (const file of readdirSync(folder)) {
    if (file.endsWith('.svg')) rmSync(path.join(folder, file))
  }
  const plots = results.sections.flatMap(({ plots }) => plots ?? [])
  const pictures = await drawAll(plots)
  const files = plots.map(fileOf)
  for (const [at, file] of files.entries()) writeFileSync(path.join(folder, file), pictures[at]!)
  writeFileSync(path.join(folder, page), toMarkdown(results))
  return [page, ...files]
}

/** Writes all that was measured, for programs. */
export function writeJson(file: string, results: Results): void {
  mkdirSync(path.dirname(file), { recursive: true })
  writeFileSync(file, `${JSON.stringify(results, undefined, 2)}\n`)
}

/** Says where files are. */
export function tell(folder: string, files: readonly string[]): void {
  console.log(`Written to ${path.relative(process.cwd(), folder)}/: ${files.join(', ')}`)
}
