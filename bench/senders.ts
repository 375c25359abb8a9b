import { accepted, messageFrom, type Mail } from './mail-load'
import { OPEN } from './mail'
import { compare, type Comparison } from './paired'
import type { Section } from './row'
import { registerTenant } from './seed'

const OWN = accepted(`a@${OPEN.domain}`)
const { ip } = OPEN

/** Each message from a new domain. */
function neverSeen(): Mail {
  let number = 0
  return () => messageFrom(`a@never-seen-${++number}.example`)
}

const comparison: Comparison = {
  name: 'senders',
  title: 'CPU of Haraka by sender: header From, and domains never seen',
  meaning:
    'Measured as the CPU of a message, with servers that differ in [header_from] check. Registered mail, whose From ' +
    'is the registered sender: From is never read (off), in one of fifty messages (report, as shipped), or in every ' +
    'message (charge). Unregistered mail is charged, and the owner of its domain is looked up once for each domain: ' +
    'hardly ever where all mail comes from one domain, for each message where every domain is new. Only the charge ' +
    'delays the answer to RCPT.',
  full: { starts: 5, rounds: 8, messages: 600, warmUp: 2_000 },
  quick: { starts: 1, rounds: 4, messages: 200, warmUp: 400 },
  subjects: {
    off: { what: 'registered, header_from off', server: 'off', ip, mail: OWN },
    report: { what: 'registered, header_from report', server: 'report', ip, mail: OWN },
    charge: {
      ...{ what: 'registered, header_from charge', server: 'charge', ip, mail: OWN },
      mostCalls: 0,
    },
    known: {
      ...{ what: 'unregistered, one sender domain', server: 'report', ip },
      mail: accepted('a@elsewhere.example'),
    },
    neverSeen: { what: 'unregistered, new domains', server: 'report', ip, mail: neverSeen() },
  },
  against: [
    ['report', 'off'],
    ['charge', 'off'],
    ['neverSeen', 'known'],
  ],
  fill: (store) => registerTenant(store, OPEN),
  servers: (redis) => {
    const withCheck = (check: string) => ({
      ...{ redis, plugins: ['unregistered-domain'] },
      settings: { header_from: { check } },
    })
    return {
      alone: { plugins: [] },
      off: withCheck('off'),
      report: withCheck('report'),
      charge: withCheck('charge'),
    }
  },
}

/** The cost of checking senders beyond the list of accepted domains. */
export const senders: Section = {
  ...comparison,
  run: (how) => compare(comparison, how),
}
