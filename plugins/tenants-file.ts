import path from 'node:path'
import { messageOf, UserError } from '../src/errors'
import type { Engine } from '../src/relay/engine'
import type { Store } from '../src/store/store'
import { applyTenantsFile } from '../src/tenants/apply'
import { Registry } from '../src/tenants/registry'
import { parseTenantsFile } from '../src/tenants/tenants-file'
import type { Plugin } from './haraka'

const RETRY_AFTER = 2000

/**
 * Applies the tenants file now, and again whenever it changes; while Redis is away, as soon as it is back. What is
 * wrong with the file is logged, and nothing of it is applied.
 */
export function watchTenantsFile(plugin: Plugin, engine: Engine, name: string): void {
  let generation = 0
  const apply = (): void => {
    const mine = ++generation
    const content = plugin.config.get(name, 'binary', apply)
    const text = Buffer.isBuffer(content) ? content.toString('utf8') : ''
    if (text.trim() === '') return
    void attempt(text, () => mine === generation)
  }

  const attempt = async (text: string, isCurrent: () => boolean): Promise<void> => {
    try {
      const file = parseTenantsFile(text, path.basename(name))
      await whenReady(engine.store)
      if (!isCurrent()) return
      const report = await applyTenantsFile(new Registry(engine.store), file, {
        dryRun: false,
        prune: false,
      })
      tell(plugin, name, report)
    } catch (error) {
      if (!(error instanceof UserError) && isCurrent()) {
        plugin.logerror(`${name}: ${messageOf(error)}; trying again`)
        setTimeout(() => void attempt(text, isCurrent), RETRY_AFTER).unref()
        return
      }
      for (const line of messageOf(error).split('\n')) plugin.logerror(line)
      plugin.logerror(`${name}: not applied; what was registered before stays`)
    }
  }

  apply()
}

function whenReady({ client }: Store): Promise<void> {
  if (client.status === 'ready') return Promise.resolve()
  return new Promise((resolve) => client.once('ready', () => resolve()))
}

function tell(
  plugin: Plugin,
  name: string,
  report: Awaited<ReturnType<typeof applyTenantsFile>>,
): void {
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
