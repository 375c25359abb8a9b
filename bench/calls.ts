import { createHash } from 'node:crypto'
import { once } from 'node:events'
import path from 'node:path'
import type { TestRedis } from '../scripts/services/redis'
import { assemble, readScript } from '../src/store/script'

/** What Redis was asked for. A script is one call; what it does inside does not count. */
export interface Calls {
  readonly scripts: number
  /** Scripts that bring to Redis what was counted for the reports, every few seconds and not for a message. */
  readonly reports: number
  /** All else. */
  readonly others: number
}

const REPORTING = path.resolve(__dirname, '../src/reporting')
const REPORTS: ReadonlySet<string> = new Set(
  ['record', 'record_unattributed', 'note_reported'].map((name) =>
    createHash('sha1')
      .update(assemble(readScript(REPORTING, name)))
      .digest('hex'),
  ),
)

/** What anybody asks Redis for while `work` runs. */
export async function callsDuring(redis: TestRedis, work: () => Promise<void>): Promise<Calls> {
  const marker = redis.client()
  await marker.ping()
  const monitor = redis.client({ monitor: true })
  await once(monitor, 'monitoring')
  const calls = { scripts: 0, reports: 0, others: 0 }
  const ended = new Promise<void>((resolve) => {
    monitor.on('monitor', (_time: string, [name = '', first = '']: string[], source: string) => {
      if (source === 'lua') return
      const command = name.toLowerCase()
      if (command === 'echo') resolve()
      else if (!command.startsWith('eval')) calls.others++
      else if (REPORTS.has(first)) calls.reports++
      else calls.scripts++
    })
  })
  await work()
  await marker.echo('end')
  await ended
  monitor.disconnect()
  marker.disconnect()
  return calls
}
