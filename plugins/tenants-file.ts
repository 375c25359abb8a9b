import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf, UserError } from '../src/errors'
import type { Engine } from '../src/relay/engine'
import type { Store } from '../src/store/store'
import { applyTenantsFile, type ApplyReport } from '../src/tenants/apply'
import { Registry } from '../src/tenants/registry'
import { parseTenantsFile } from '../src/tenants/tenants-file'
import type { Plugin } from './haraka'

const RETRY_AFTER = 2000

/**
 * Applies the tenants file now, and again whenever it changes; while Redis is away, as soon as it is back. What is
 * wrong with the file is logged, and nothing of it is applied. One after the other: what an earlier version of the
 * file says must not be written behind a later one.
 */
export function watchTenantsFile(plugin: Plugin, engine: Engine, name: string): void {
  let generation = 0
  let last = Promise.resolve()
  const apply = (): void => {
    const mine = ++generation
    const content = plugin.config.get(name, 'binary', apply)
    const text = Buffer.isBuffer(content) ? content.toString('utf8') : ''
    if (text.trim() === '') return
    last = last.then(() => applyText(plugin, engine, name, text, () => mine === generation))
  }
  apply()
}

/** Never rejects; gives up where another version of the file has come. */
async function applyText(
  plugin: Plugin,
  { store }: Engine,
  name: string,
  text: string,
  isCurrent: () => boolean,
): Promise<void> {
  while (isCurrent()) {
    try {
      const file = parseTenantsFile(text, path.basename(name))
      await whenReady(store)
      if (!isCurrent()) return
      tell(plugin, name, await applyTenantsFile(new Registry(store), file))
      return
    } catch (error) {
      if (error instanceof UserError) {
        for (const line of messageOf(error).split('\n')) plugin.logerror(line)
        plugin.logerror(`${name}: not applied; what was registered before stays`)
        return
      }
      plugin.logerror(`${name}: ${messageOf(error)}; trying again`)
      await sleep(RETRY_AFTER, undefined, { ref: false })
    }
  }
}

function whenReady({ client }: Store): Promise<void> {
  if (client.status === 'ready') return Promise.resolve()
  return new Promise((resolve) => client.once('ready', () => resolve()))
}

function tell(plugin: Plugin, name: string, report: ApplyReport): void {
  plugin.lognotice(`${name}: applied`, {
    added: report.added.length,
    updated: report.updated.length,
    unchanged: report.unchanged,
  })
  for (const { message } of report.errors) plugin.logerror(message)
  for (const left of report.left) {
    plugin.logwarn(`${name} no longer holds ${left}: tenantctl apply --prune removes it`)
  }
}
