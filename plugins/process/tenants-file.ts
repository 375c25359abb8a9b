import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf, UserError } from '../../src/base/errors'
import { redisFailure } from '../../src/store/failure'
import type { ApplyReport } from '../../src/tenants-file/apply'
import type { Plugin } from '../kit/haraka'
import { logTextOnce } from '../kit/log'

/** In ms. */
const RETRY_AFTER = 2000

/** Where a file is applied. */
export interface Destination {
  /** Resolves when the registry may be written; rejects where it must not be now. */
  readonly whenWritable: () => Promise<void>
  readonly apply: (content: Buffer, filename: string) => Promise<ApplyReport>
}

/**
 * Applies the tenants file now, and again whenever it changes; while Redis is away, as soon as it is back. A file with a
 * mistake is not applied, and the mistake is logged. Versions are applied one after the other: an earlier version must not
 * overwrite a later one.
 *
 * @param name of the file in the ini file.
 * @param read returns the content of the file now; throws as `fs.readFileSync`.
 */
export function watchTenantsFile(
  plugin: Plugin,
  destination: Destination,
  name: string,
  read: () => Buffer,
): void {
  let generation = 0
  let last = Promise.resolve()
  const apply = (): void => {
    const mine = ++generation
    const content = watched(plugin, name, read, apply)
    if (content === undefined) return
    last = last.then(() => applyFile(plugin, destination, name, content, () => mine === generation))
  }
  apply()
}

/** Also called by Haraka's watcher, where a throw would end the process. `undefined`: nothing to apply. */
function watched(
  plugin: Plugin,
  name: string,
  read: () => Buffer,
  onChange: () => void,
): Buffer | undefined {
  try {
    // Haraka watches files that it has read. It does not check their owner, so its content is not used.
    plugin.config.get(name, 'binary', onChange)
    const content = read()
    return content.length > 0 ? content : undefined
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    plugin.logerror(
      `${name}: cannot be read: ${messageOf(error)}; what was registered before stays`,
    )
    return undefined
  }
}

/** Never rejects; stops when the file has changed again. */
async function applyFile(
  plugin: Plugin,
  { whenWritable, apply }: Destination,
  name: string,
  content: Buffer,
  isCurrent: () => boolean,
): Promise<void> {
  const log = logTextOnce((line) => plugin.logerror(line))
  while (isCurrent()) {
    try {
      const filename = path.basename(name)
      await whenWritable()
      if (!isCurrent()) return
      tell(plugin, name, await apply(content, filename))
      return
    } catch (error) {
      if (error instanceof UserError) {
        for (const line of messageOf(error).split('\n')) plugin.logerror(line)
        plugin.logerror(`${name}: not applied; what was registered before stays`)
        return
      }
      const reason = redisFailure(error)
      log.say(reason, `${name}: not applied yet, trying again: ${reason}`)
      await sleep(RETRY_AFTER, undefined, { ref: false })
    }
  }
}

function tell(plugin: Plugin, name: string, report: ApplyReport): void {
  plugin.lognotice(`${name}: applied`, {
    added: report.added.length,
    updated: report.updated.length,
    unchanged: report.unchanged,
    detached: report.detached.length,
  })
  for (const { message } of report.errors) plugin.logerror(message)
  for (const left of report.left) {
    plugin.logwarn(`${name} no longer holds ${left}: tenantctl apply --prune removes it`)
  }
}
