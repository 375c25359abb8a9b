import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { scratchDir } from './scratch'

/** A script for `preload` of startHaraka() that gives it a host of its own name, as if it ran on another machine. */
export function hostNamed(name: string): string {
  const script = path.join(scratchDir('host'), 'host.js')
  writeFileSync(script, `require('node:os').hostname = () => ${JSON.stringify(name)}\n`)
  return script
}
