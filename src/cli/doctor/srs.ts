import { tenantctl } from '../../base/command-line'
import type { Config } from '../../process/config'
import type { SrsKeys } from '../../outbound/srs/rewrite'
import type { Store } from '../../store/store'
import type { Lookup } from '../../dns/lookup'
import { ownerOf } from '../../registry/owners'
import { fail, ok, warn, type Line } from './line'

/** Checks that bounces to rewritten senders find a server. Only a test message shows whether it is this one. */
export async function checkSrsMx({ domain }: SrsKeys, dns: Lookup): Promise<Line[]> {
  if (domain === '') return []
  const hosts = await dns.mx(domain)
  if (hosts === undefined) {
    return [
      warn(
        'srs',
        `DNS gave no answer about the MX of ${domain}`,
        'try again, or name a resolver with --dns',
      ),
    ]
  }
  if (hosts.length === 0) {
    return [
      fail(
        'srs',
        `${domain} has no MX: bounces of forwards are lost, and servers refuse such senders`,
        `publish an MX for ${domain} that is this Haraka, and an SPF record with its addresses`,
      ),
    ]
  }
  const addresses = await Promise.all(hosts.map((host) => dns.addresses(host)))
  if (addresses.every((each) => each?.length === 0)) {
    return [
      fail(
        'srs',
        `the MX of ${domain}, ${hosts.join(', ')}, has no address: bounces of forwards are lost`,
        `let the MX of ${domain} be this Haraka`,
      ),
    ]
  }
  return [ok('srs', `bounces of forwards come to ${hosts.join(', ')}, the MX of ${domain}`)]
}

/** Only proven forwards are rewritten. */
export function checkSrsUse({ srs, forwarded }: Pick<Config, 'srs' | 'forwarded'>): Line[] {
  if (srs.domain === '' || forwarded.enabled) return []
  return [
    warn(
      'srs',
      '[srs] domain is set, but [forwarded] enabled=false: no sender is rewritten',
      'set [forwarded] enabled=true; or empty domain, once bounces of earlier forwards have come back (21 days)',
    ),
  ]
}

/** If a tenant owned the SRS domain, forwards of all tenants would count as its registered mail. */
export async function checkSrsOwner({ domain }: SrsKeys, store: Store): Promise<Line[]> {
  const owner = domain === '' ? undefined : await ownerOf(store, domain)
  if (owner === undefined) return []
  return [
    fail(
      'srs',
      `${domain} of [srs] is an accepted domain of ${owner}: mail with rewritten senders would be registered mail`,
      `give [srs] a domain of your own that no tenant has, or: ${tenantctl('domain', 'remove', owner)} …`,
    ),
  ]
}
