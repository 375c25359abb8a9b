import { onDemand } from '../base/on-demand'
import { parentsOf, toDomain } from './domain'
import { registrableDomain } from './registrable'

/** Well-known providers that `email-providers` 2.26.0 lacks. */
const MISSING = [
  ...['a1.net', 'aon.at', 'chello.at', 'disroot.org', 'duck.com', 'fastmail.com', 'gmx.ch'],
  ...['hispeed.ch', 'home.pl', 'keemail.me', 'mailfence.com', 'posteo.de', 'posteo.net'],
  ...['riseup.net', 'startmail.com', 'swissonline.ch', 'tuta.com', 'tuta.io', 'tutamail.com'],
  ...['tutanota.com', 'tutanota.de', 'vodafone.de', 'xs4all.nl', 'ziggo.nl', 'zoho.eu'],
  ...['zohomail.com', 'zohomail.eu'],
]

const NONE: ReadonlySet<string> = new Set()

/** Loaded on first use: most commands and Haraka itself never need the list. */
const providers = onDemand((): ReadonlySet<string> => {
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  const list = require('email-providers/all.json') as readonly string[]
  return new Set([...list, ...MISSING].flatMap((name) => toDomain(name) ?? []))
})

/**
 * Whether anybody can get an address in a domain, as in gmail.com, so that no tenant owns it. Names below a provider
 * count too. Uses the list of the package `email-providers`: free, paid and throw-away providers.
 *
 * @param more names that count as providers, with all names below them.
 */
export function isMailboxProvider(domain: string, more: ReadonlySet<string> = NONE): boolean {
  const known = providers()
  if (known.has(domain) || known.has(registrableDomain(domain) ?? domain)) return true
  return more.size > 0 && [domain, ...parentsOf(domain)].some((name) => more.has(name))
}
