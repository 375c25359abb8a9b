import { toDomain } from '../names/domain'
import { registrableDomain } from '../names/registrable'

/** Well-known ones that `email-providers` 2.26.0 lacks. */
const LACKING = [
  ...['a1.net', 'aon.at', 'chello.at', 'disroot.org', 'duck.com', 'fastmail.com', 'gmx.ch'],
  ...['hispeed.ch', 'home.pl', 'keemail.me', 'mailfence.com', 'posteo.de', 'posteo.net'],
  ...['riseup.net', 'startmail.com', 'swissonline.ch', 'tuta.com', 'tuta.io', 'tutamail.com'],
  ...['tutanota.com', 'tutanota.de', 'vodafone.de', 'xs4all.nl', 'ziggo.nl', 'zoho.eu'],
  ...['zohomail.com', 'zohomail.eu'],
]

let known: ReadonlySet<string> | undefined

/**
 * Whether anybody can have an address in a domain, as in gmail.com: such a domain is no tenant's own. Names below one
 * count too. By the list of the package `email-providers`, free, paid and throw-away ones.
 */
export function isMailboxProvider(domain: string): boolean {
  known ??= readList()
  return known.has(domain) || known.has(registrableDomain(domain) ?? domain)
}

/** Read where it is needed: the process of most commands, and Haraka's, never does. */
function readList(): Set<string> {
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  const list = require('email-providers/all.json') as readonly string[]
  return new Set([...list, ...LACKING].flatMap((name) => toDomain(name) ?? []))
}
