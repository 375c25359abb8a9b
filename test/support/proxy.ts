import { readFileSync } from 'node:fs'
import path from 'node:path'

const shipped = path.resolve(__dirname, '../../node_modules/haraka/config/connection.ini')

/** A connection.ini that allows this address to send PROXY lines (Haraka `docs/HAProxy.md`). */
export function connectionIniTrusting(address: string): string {
  return readFileSync(shipped, 'utf8').replace(/^hosts\[\] =$/m, `hosts[] = ${address}`)
}
