import { existsSync } from 'node:fs'
import path from 'node:path'

/** The folder of this package: what holds `package.json` and `config/`, whether compiled or not. */
export function packageRoot(): string {
  let folder = __dirname
  while (!existsSync(path.join(folder, 'package.json'))) {
    const parent = path.dirname(folder)
    if (parent === folder)
      throw new Error(`no package.json above ${__dirname}: reinstall the package`)
    folder = parent
  }
  return folder
}
