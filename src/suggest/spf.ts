import { toDomain } from '../names/domain'
import type { SpfFacts } from './dns-facts'
import type { Lookup } from '../dns/lookup'

/** Limit of terms that ask DNS, includes among them (RFC 7208 §4.6.4). */
const MOST_LOOKUPS = 10

interface Term {
  readonly name: string
  /** The part after `:` or `=`; empty: none. */
  readonly value: string
  /** Length of the IPv4 prefix, for `a` and `mx`. */
  readonly length: number | undefined
}

/**
 * Reads what a domain authorises. Ignores macros and `exists`, which need a message, `ptr` and `exp`. Terms with `?`, `~`
 * or `-` authorise nothing.
 *
 * @returns `null`: it has no SPF record, or more than one; `undefined`: DNS gave no answer.
 */
export async function readSpf(domain: string, dns: Lookup): Promise<SpfFacts | null | undefined> {
  const walk = { dns, left: MOST_LOOKUPS, seen: new Set<string>(), networks: new Set<string>() }
  const terms = await termsOf(domain, dns)
  if (!terms) return terms
  walk.seen.add(domain)
  await collect(domain, terms, walk)
  const includes = terms.filter(({ name }) => name === 'include' || name === 'redirect')
  return {
    includes: [...new Set(includes.flatMap(({ value }) => toDomain(value) ?? []))],
    networks: [...walk.networks],
  }
}

interface Walk {
  readonly dns: Lookup
  left: number
  readonly seen: Set<string>
  readonly networks: Set<string>
}

async function collect(domain: string, terms: readonly Term[], walk: Walk): Promise<void> {
  for (const { name, value, length } of terms) {
    if (name === 'ip4' || name === 'ip6') walk.networks.add(value)
    else if (walk.left > 0) {
      walk.left--
      const target = value === '' ? domain : toDomain(value)
      if (target === undefined) continue
      if (name === 'a') await collectHost(target, length, walk)
      else if (name === 'mx') {
        for (const host of ((await walk.dns.mx(target)) ?? []).slice(0, MOST_LOOKUPS)) {
          await collectHost(host, length, walk)
        }
      } else if (!walk.seen.has(target)) {
        walk.seen.add(target)
        await collect(target, (await termsOf(target, walk.dns)) ?? [], walk)
      }
    }
  }
}

async function collectHost(host: string, length: number | undefined, walk: Walk): Promise<void> {
  for (const address of (await walk.dns.addresses(host)) ?? []) {
    const isIpv4 = !address.includes(':')
    walk.networks.add(isIpv4 && length !== undefined ? `${address}/${length}` : address)
  }
}

async function termsOf(domain: string, dns: Lookup): Promise<Term[] | null | undefined> {
  const texts = await dns.txt(domain)
  if (texts === undefined) return undefined
  const records = texts.filter((text) => /^v=spf1(?: |$)/i.test(text))
  return records.length === 1 ? parseSpf(records[0]!) : null
}

/** The terms of a record that authorise a sender. */
export function parseSpf(record: string): Term[] {
  return record
    .toLowerCase()
    .split(/ +/)
    .slice(1)
    .flatMap((text) => {
      const range = /^\+?(ip4|ip6|include|redirect)[:=]([^%]+)$/.exec(text)
      if (range) return [{ name: range[1]!, value: range[2]!, length: undefined }]
      const host = /^\+?(a|mx)(?::([^%/]+))?(?:\/(\d{1,2}))?(?:\/\/\d{1,3})?$/.exec(text)
      if (!host) return []
      const [, name = '', value = '', length] = host
      return [{ name, value, length: length === undefined ? undefined : Number(length) }]
    })
}
