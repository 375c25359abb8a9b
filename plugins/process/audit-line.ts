import type { ToldEntry } from '../../src/audit/follow'
import type { Plugin } from '../kit/haraka'

/** The log line of an entry of an audit trail, written by the appointed process of each Haraka. */
export function logAudit(plugin: Plugin, entry: ToldEntry): void {
  const { subject, what, ...more } = entry
  const said = Object.entries(more).filter(([, text]) => text !== '')
  plugin.lognotice('audit', { subject, what, ...Object.fromEntries(said) })
}
