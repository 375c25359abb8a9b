// Compiles changed files to dist/, and copies the Lua scripts next to the modules that run them.
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { createRequire } from 'node:module'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const dist = path.join(root, 'dist')
/** The state of the compiler's last run; see tsconfig.json. */
const BUILD_INFO = '.tsbuildinfo'
const ASSETS = path.join('src', 'console', 'assets')
const HTMX = ['htmx.min.js', 'ext/hx-ptag.min.js']
const { resolve } = createRequire(import.meta.url)
const tsc = resolve('typescript/bin/tsc')

execFileSync(process.execPath, [tsc, '-p', root], { stdio: 'inherit' })
copyScripts()
removeOrphans()
copyAssets()
chmodSync(path.join(dist, 'src', 'cli', 'tenantctl.js'), 0o755)

/** Without the lines that are comments: every process holds the scripts, and Redis reads them. */
function copyScripts() {
  for (const name of readdirSync(path.join(root, 'src'), { recursive: true })) {
    if (!name.endsWith('.lua')) continue
    const source = readFileSync(path.join(root, 'src', name), 'utf8')
    const copy = path.join(dist, 'src', name)
    mkdirSync(path.dirname(copy), { recursive: true })
    writeFileSync(copy, source.replace(/^ *--(?! @include ).*\n/gm, ''))
  }
}

/** What browsers get. Of htmx that is two files. */
function copyAssets() {
  cpSync(path.join(root, ASSETS), path.join(dist, ASSETS), { recursive: true })
  for (const name of HTMX) {
    cpSync(resolve(`htmx.org/dist/${name}`), path.join(dist, ASSETS, path.basename(name)))
  }
}

/** Removes output of deleted sources: it must not be shipped or loaded by name. */
function removeOrphans() {
  for (const name of readdirSync(dist, { recursive: true })) {
    const source = path.join(root, name.replace(/\.js$/, '.ts'))
    if (name !== BUILD_INFO && !existsSync(source))
      rmSync(path.join(dist, name), { recursive: true, force: true })
  }
}
