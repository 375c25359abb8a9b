// Compiles to dist/ and puts the Lua scripts beside the modules that run them.
import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, rmSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { createRequire } from 'node:module'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')

rmSync(path.join(root, 'dist'), { recursive: true, force: true })
execFileSync(process.execPath, [tsc, '-p', root], { stdio: 'inherit' })
cpSync(path.join(root, 'src'), path.join(root, 'dist', 'src'), {
  recursive: true,
  filter: (source) => !path.extname(source) || source.endsWith('.lua'),
})
chmodSync(path.join(root, 'dist', 'src', 'cli', 'tenantctl.js'), 0o755)
