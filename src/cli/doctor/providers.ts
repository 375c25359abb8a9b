import { batchesOf } from '../../base/lists'
import { tenantctl } from '../../base/command-line'
import { readAllEntries } from '../../registry/domain-entries'
import type { Store } from '../../store/store'
import { isMailboxProvider } from '../../names/mailbox-providers'
import { scanSet } from '../../store/scan'
import { warn, type Line } from './line'

/** Tenants whose domains are read at once. */
const BATCH = 200

/**
 * Names accepted domains where anybody can get an address. `domain add` takes them with `--force` only.
 *
 * @param more names that count as providers too.
 */
export async function checkProviders(store: Store, more: ReadonlySet<string>): Promise<Line[]> {
  const tenants = new Set<string>()
  for await (const ids of scanSet(store, store.keys.tenants)) for (const id of ids) tenants.add(id)
  const lines: Line[] = []
  for (const batch of batchesOf([...tenants], BATCH)) {
    const lists = await Promise.all(batch.map((tenant) => readAllEntries(store, tenant)))
    for (const [at, list] of lists.entries()) {
      const found = [...list.keys()].filter((domain) => isMailboxProvider(domain, more))
      lines.push(...found.map((domain) => lineOf(batch[at]!, domain)))
    }
  }
  return lines
}

function lineOf(tenant: string, domain: string): Line {
  return warn(
    'providers',
    `${domain} of ${tenant} belongs to a mailbox provider: mail of everybody who claims to write from there passes uncounted`,
    `unless this is meant: ${tenantctl('domain', 'remove', tenant, domain)}`,
    {
      subject: `${domain} of ${tenant}`,
      problem:
        'accepted domains belong to mailbox providers: mail of everybody who claims to write from there passes uncounted',
    },
  )
}
