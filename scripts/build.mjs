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
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')

execFileSync(process.execPath, [tsc, '-p', root], { stdio: 'inherit' })
copyScripts()
copyAssets()
removeOrphans()
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

/** What browsers get. */
function copyAssets() {
  cpSync(path.join(root, ASSETS), path.join(dist, ASSETS), { recursive: true })
}

/** Removes output of deleted sources: it must not be shipped or loaded by name. */
function removeOrphans() {
  for (const name of readdirSync(dist, { recursive: true })) {
    const source = path.join(root, name.replace(/\.js$/, '.ts'))
    if (name !== BUILD_INFO && !existsSync(source) && !existsSync(path.join(root, name)))
      rmSync(path.join(dist, name), { recursive: true, force: true })
  }
}
