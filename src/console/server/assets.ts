import { readFileSync } from 'node:fs'
import path from 'node:path'
import { packageRoot } from '../../base/package-root'

interface Asset {
  readonly type: string
  readonly body: string
}

/** As the build puts them together: two are files of htmx. */
const FOLDER = path.join(packageRoot(), 'dist', 'src', 'console', 'assets')
const body = (name: string): string => readFileSync(path.join(FOLDER, name), 'utf8')

/** All files that browsers get, by name. */
export const ASSETS: ReadonlyMap<string, Asset> = new Map([
  ['console.css', { type: 'text/css; charset=utf-8', body: body('console.css') }],
  ...['console.js', 'htmx.min.js', 'hx-ptag.min.js'].map(
    (name) => [name, { type: 'text/javascript; charset=utf-8', body: body(name) }] as const,
  ),
])
