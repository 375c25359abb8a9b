import { registrableDomain } from '../names/registrable'
import { toDomain } from '../names/domain'
import type { DnsFacts } from './dns-facts'
import type { Lookup } from '../dns/lookup'
import { readSpf } from './spf'

/** Asks DNS about a domain. */
export async function readFacts(domain: string, dns: Lookup): Promise<DnsFacts> {
  const [mx, addresses, spf, rua] = await Promise.all([
    dns.mx(domain),
    dns.addresses(domain),
    readSpf(domain, dns),
    readRua(domain, dns),
  ])
  return { mx, address: addresses && addresses.length > 0, spf, rua }
}

/** Reads the record of the name itself, else that of its organisation (RFC 7489 §6.6.3). */
async function readRua(domain: string, dns: Lookup): Promise<string[] | undefined> {
  const own = await recordOf(domain, dns)
  if (own !== '') return own === undefined ? undefined : ruaOf(own)
  const organisation = registrableDomain(domain)
  if (organisation === undefined || organisation === domain) return []
  const above = await recordOf(organisation, dns)
  return above === undefined ? undefined : ruaOf(above)
}

/** Empty: there is none. */
async function recordOf(domain: string, dns: Lookup): Promise<string | undefined> {
  const texts = await dns.txt(`_dmarc.${domain}`)
  return texts && (texts.find((text) => /^v=DMARC1\s*(?:;|$)/.test(text)) ?? '')
}

/** Domains of the addresses in `rua=mailto:`; a size limit may follow an address (`!10m`). */
export function ruaOf(record: string): string[] {
  const uris = /(?:^|;)\s*rua\s*=\s*([^;]*)/i.exec(record)?.[1]?.split(',') ?? []
  const domains = uris.flatMap((uri) => {
    const host = /^\s*mailto:[^@]*@([^!\s]+)/i.exec(uri)?.[1]
    return (host !== undefined && toDomain(host)) || []
  })
  return [...new Set(domains)]
}
