import { block } from '../../src/operations/block'
import { DAY, MINUTE } from '../../src/reporting/calendar'
import { newConsole, type ConsoleAtHand } from './console'
import { record } from './reports'

/** A console with a tenant of two connectors, of which one has been taken over: as in the runbook. */
export async function takeover(
  ini: Record<string, Record<string, unknown>> = {},
  domain = 'lure.example',
): Promise<ConsoleAtHand> {
  const console = newConsole(ini)
  const { store, registry } = console
  await registry.tenants.add('contoso', { name: 'Contoso Ltd' }, 'ann')
  await registry.domains.add(
    'contoso',
    [{ domain: 'contoso.com', subdomains: false, shared: false }],
    'ann',
  )
  await registry.connectors.add('contoso', 'web', { ip: ['192.0.2.10'] }, 'ann')
  await registry.connectors.add('contoso', 'exchange', { ip: ['192.0.2.11'] }, 'ann')
  await block(store, 'contoso', { scope: 'unregistered', by: 'ann', reason: 'flood' })
  const now = Date.now()
  const web = { connector: 'contoso/web', ip: '192.0.2.10', domain, user: domain }
  const exchange = { connector: 'contoso/exchange', ip: '192.0.2.11' }
  await record(
    ...([store, 'contoso'] as const),
    { at: now - 2 * MINUTE, ...web, accepted: 4, refused: 10 },
    { at: now - 40 * MINUTE, ...web, accepted: 279, messages: { accepted: 45 } },
    { at: now - 3 * MINUTE, ...exchange, domain: 'contoso.de', accepted: 7 },
    { at: now - 3 * MINUTE, ...exchange, class: 'registered', accepted: 12 },
    ...Array.from({ length: 30 }, (_, day) => ({
      ...{ at: now - (day + 20) * DAY, ...exchange, domain: 'contoso.de', accepted: 3 },
    })),
  )
  return console
}
