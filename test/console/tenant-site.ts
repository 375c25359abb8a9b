import { defaultsOf } from '../../src/allowance/defaults'
import { Ledger } from '../../src/allowance/ledger'
import { parseConfig, type Config } from '../../src/process/config'
import type { Store } from '../../src/store/store'
import { newConsole, type ConsoleAtHand } from '../support/console'

let transactions = 0

/** A console with contoso, which has a domain and a connector, and fabrikam. */
export async function newTenants(
  ini: Record<string, Record<string, unknown>> = {},
): Promise<ConsoleAtHand> {
  const site = newConsole(ini)
  const { tenants, domains, connectors } = site.registry
  await tenants.add('contoso', { name: 'Contoso Ltd' }, 'dora')
  await tenants.add('fabrikam', {}, 'dora')
  await domains.add('contoso', [domain('contoso.com')], 'dora')
  await domains.add('fabrikam', [domain('fabrikam.com')], 'dora')
  await connectors.add('contoso', 'web', { ip: ['192.0.2.7'], auth: ['web@contoso.com'] }, 'dora')
  await connectors.add('fabrikam', 'mx', { ip: ['198.51.100.7'] }, 'dora')
  return site
}

export function domain(name: string) {
  return { domain: name, subdomains: false, shared: false }
}

/** Charges recipients of unregistered mail of contoso, as the plugin does. */
export async function charge(store: Store, recipients: number): Promise<void> {
  const { config }: { readonly config: Config } = parseConfig({}, '/nowhere')
  const ledger = new Ledger(store, 30_000)
  const domainsToken = (await store.client.hget(store.keys.tenant('contoso'), 'domains')) ?? ''
  for (let at = 0; at < recipients; at++) {
    await ledger.charge(
      {
        ...{ tenant: 'contoso', meter: 'unregistered', ordinal: 1, domainsToken },
        ...{ transaction: `T${++transactions}`, domain: 'lure.example' },
        ...{ connector: 'contoso/web', ip: '192.0.2.7' },
      },
      defaultsOf(config),
    )
  }
}
