import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { packageRoot } from '../src/base/package-root'
import { anchors, prose } from './support/pages'

const PAGES = [
  ...['README.md', 'SECURITY.md', 'CHANGELOG.md'],
  ...readdirSync(path.join(packageRoot(), 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]

function fault(page: string, link: string): string | null {
  const [file = '', anchor] = link.split('#')
  const target = file === '' ? page : path.join(path.dirname(page), file)
  if (!existsSync(path.join(packageRoot(), target))) return `${page}: ${target} does not exist`
  if (anchor === undefined || anchors(target).includes(anchor)) return null
  return `${page}: ${target} has no heading #${anchor}`
}

describe('a link on a page', () => {
  it('leads to a file and a heading that exist', () => {
    const faults = PAGES.flatMap((page) =>
      [...prose(page).matchAll(/\]\(([^)\s]+)\)/g)]
        .map(([, link = '']) => link)
        .filter((link) => !/^\w+:/.test(link))
        .map((link) => fault(page, link)),
    ).filter((found) => found !== null)
    assert.deepEqual(faults, [])
  })
})

describe('a page that a message or the ini file names', () => {
  it('exists, and is in the package', () => {
    const { files } = JSON.parse(
      readFileSync(path.join(packageRoot(), 'package.json'), 'utf8'),
    ) as { files: string[] }
    const left = files
      .filter((name) => name.startsWith('!'))
      .map((name) => name.replace(/[!*]/g, ''))
    const named = ['src', 'plugins', 'config'].flatMap((folder) =>
      readdirSync(path.join(packageRoot(), folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => readFileSync(path.join(entry.parentPath, entry.name), 'utf8'))
        .flatMap((text) => text.match(/(?<![\w/.])docs\/[\w./-]*\w/g) ?? []),
    )
    assert.ok(named.includes('docs/install.md'))
    for (const page of named) {
      assert.ok(existsSync(path.join(packageRoot(), page)), page)
      assert.ok(!left.some((name) => page.startsWith(name)), page)
    }
  })
})
