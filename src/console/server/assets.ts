import { readFileSync } from 'node:fs'
import path from 'node:path'

interface Asset {
  readonly type: string
  readonly body: string
}

const SCRIPT = 'text/javascript; charset=utf-8'
const own = (name: string): string =>
  readFileSync(path.join(__dirname, '..', 'assets', name), 'utf8')
const ofHtmx = (name: string): string =>
  readFileSync(require.resolve(`htmx.org/dist/${name}`), 'utf8')

/** All files that browsers get, by name. */
export const ASSETS: ReadonlyMap<string, Asset> = new Map([
  ['console.css', { type: 'text/css; charset=utf-8', body: own('console.css') }],
  ['console.js', { type: SCRIPT, body: own('console.js') }],
  ['htmx.min.js', { type: SCRIPT, body: ofHtmx('htmx.min.js') }],
  ['hx-ptag.min.js', { type: SCRIPT, body: ofHtmx('ext/hx-ptag.min.js') }],
])
