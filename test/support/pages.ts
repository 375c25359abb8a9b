import { readFileSync } from 'node:fs'
import path from 'node:path'
import { packageRoot } from '../../src/base/package-root'

/** A page without its blocks of code. */
export function prose(page: string): string {
  const text = readFileSync(path.join(packageRoot(), page), 'utf8')
  return text.replace(/^( *)```[^]*?^\1```$/gm, '')
}

/** The anchors that GitHub gives to the headings of a page. */
export function anchors(page: string): string[] {
  return [...prose(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  )
}
