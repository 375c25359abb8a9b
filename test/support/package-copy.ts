import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { scratchDir } from '../../scripts/services/scratch'
import { packageRoot } from '../../src/base/package-root'

/** The compiled package as it is installed without its optional peer, mailauth. */
export class PackageCopy {
  readonly dir = scratchDir('package-copy')

  constructor() {
    for (const name of ['dist', 'config', 'package.json']) {
      cpSync(path.join(packageRoot(), name), path.join(this.dir, name), { recursive: true })
    }
    const manifest = readFileSync(path.join(this.dir, 'package.json'), 'utf8')
    const { dependencies } = JSON.parse(manifest) as { dependencies: Record<string, string> }
    mkdirSync(path.join(this.dir, 'node_modules'))
    for (const name of Object.keys(dependencies)) this.link(name)
  }

  /** As `npm install mailauth@4` does. */
  installMailauth(): void {
    this.link('mailauth')
  }

  /** A version of mailauth, of which there is only that. */
  pretendMailauth(version: string): void {
    mkdirSync(path.join(this.dir, 'node_modules/mailauth'))
    const manifest = path.join(this.dir, 'node_modules/mailauth/package.json')
    writeFileSync(manifest, JSON.stringify({ name: 'mailauth', version }))
  }

  private link(name: string): void {
    const folder = path.join('node_modules', name)
    mkdirSync(path.dirname(path.join(this.dir, folder)), { recursive: true })
    symlinkSync(path.join(packageRoot(), folder), path.join(this.dir, folder))
  }
}
