import { REPLY } from '../../support/replies'
import { signMessage } from '../../support/signed'
import {
  count,
  FORWARDS,
  letter,
  recipients,
  registered,
  unregistered,
  type Expected,
  type Row,
} from './row'

const forged = (own: string): string => letter(own, { From: 'Ann <ann@evil.example>' })
const withSubdomains = { domains: [{ domain: 'deep.example', subdomains: true }] }
const LURE = 'x@lure.example'
const foreign = (recipients = 1): Expected => ({ class: 'foreign', ...count(recipients) })
const nullSender = (many: number): Expected => ({ class: 'null', counts: { null: many } })

/** Senders whose class follows from the envelope. */
export const SENDERS: readonly Row[] = [
  { what: 'an accepted domain', from: 'ann@OWN', expected: { ...registered, domain: 'OWN' } },
  { what: 'an accepted domain in upper case', from: 'ann@UPPER', expected: registered },
  {
    what: 'a name below an accepted domain with its subdomains',
    tenant: withSubdomains,
    from: 'ann@a.b.deep.example',
    expected: registered,
  },
  {
    what: 'a name below an accepted domain without its subdomains',
    from: 'ann@news.OWN',
    expected: unregistered(),
  },
  {
    what: 'a name that only ends like an accepted domain',
    from: 'ann@evilOWN',
    expected: unregistered(),
  },
  {
    what: 'the domain above an accepted one',
    tenant: { domains: ['mail.above.example'] },
    from: 'ann@above.example',
    expected: unregistered(),
  },
  {
    what: 'an accepted domain in Unicode',
    tenant: { domains: ['xn--schl-7qa.example'] },
    from: 'ann@schöl.example',
    expected: { ...registered, domain: 'xn--schl-7qa.example' },
  },
  {
    what: 'a domain that looks like an accepted one in Cyrillic',
    tenant: { domains: ['paypal.example'] },
    from: 'ann@pаypal.example',
    expected: unregistered(),
  },
  {
    what: 'a domain that is shared',
    tenant: { domains: [{ domain: 'common.example', shared: true }] },
    from: 'ann@common.example',
    expected: registered,
  },
  {
    what: 'an accepted domain, of a restricted tenant',
    restricted: 'unregistered',
    from: 'ann@OWN',
    expected: registered,
  },
  {
    what: 'an accepted domain, of a tenant whose mail is all refused',
    restricted: 'all',
    from: 'ann@OWN',
    expected: { ...registered, mail: REPLY.blockedAll },
  },

  {
    what: 'an accepted domain with another From, which is only reported',
    from: 'ann@OWN',
    message: forged,
    expected: registered,
  },
  {
    what: 'an accepted domain with another From, which counts',
    on: 'strict',
    from: 'ann@OWN',
    to: ['a@far.example', 'b@OWN', 'c@far.example'],
    message: forged,
    expected: { ...unregistered(2), proof: 'none: From header' },
  },
  {
    what: 'an accepted domain with its own From',
    on: 'strict',
    from: 'ann@OWN',
    message: (own) => letter(own, { From: `"x@evil.example" <bob@${own}>` }),
    expected: registered,
  },
  {
    what: 'an accepted domain with another From, to the tenant itself',
    on: 'strict',
    from: 'ann@OWN',
    to: ['b@OWN'],
    message: forged,
    expected: registered,
  },
  {
    what: 'an accepted domain with another From, of a restricted tenant',
    on: 'strict',
    restricted: 'unregistered',
    from: 'ann@OWN',
    message: forged,
    expected: { class: 'unregistered', end: REPLY.blocked },
  },
  {
    what: 'an accepted domain with another From, past the allowance',
    on: 'strict',
    tenant: { limits: '1/1h' },
    before: { unregistered: 1 },
    from: 'ann@OWN',
    message: forged,
    expected: { ...unregistered(1), end: REPLY.blocked, trips: true },
  },
  {
    what: 'an accepted domain with a proof of a forward',
    tenant: FORWARDS,
    from: 'ann@OWN',
    message: (own) => signMessage(letter(own), { domain: 'bank.example' }),
    expected: registered,
  },

  { what: 'any other domain', from: LURE, expected: { ...unregistered(), domain: 'lure.example' } },
  {
    what: 'any other domain to three, one of them the tenant’s',
    from: LURE,
    to: ['a@far.example', 'b@OWN', 'c@far.example'],
    expected: unregistered(2),
  },
  {
    what: 'any other domain, to the tenant itself',
    from: LURE,
    to: ['b@OWN'],
    expected: unregistered(0),
  },
  {
    what: 'a sender without a domain',
    from: 'postmaster',
    expected: { ...unregistered(), domain: null },
  },
  {
    what: 'an address literal',
    from: 'ann@[192.0.2.1]',
    expected: { ...unregistered(), domain: null },
  },
  {
    what: 'the second recipient where one is allowed',
    tenant: { limits: '1/1h' },
    from: LURE,
    to: recipients(2),
    expected: {
      ...unregistered(1),
      rcpts: ['ok', REPLY.blocked],
      trips: true,
      explained: { verdict: 'charge', reply: null },
    },
  },
  {
    what: 'one more where the allowance is used up',
    tenant: { limits: '3/1h, 500/1d' },
    before: { unregistered: 3 },
    from: LURE,
    expected: { ...unregistered(3), rcpts: [REPLY.blocked], trips: true },
  },
  {
    what: 'a limit of 0',
    tenant: { limits: '0/1h' },
    from: LURE,
    expected: { ...unregistered(0), rcpts: [REPLY.blocked] },
  },
  {
    what: 'no limit',
    tenant: { limits: 'unlimited' },
    from: LURE,
    expected: { ...unregistered(0), explained: { verdict: 'charge', reply: null } },
  },
  {
    what: 'a limit with defer',
    tenant: { limits: '1/1h defer, 500/1d' },
    before: { unregistered: 1 },
    from: LURE,
    expected: { ...unregistered(1), rcpts: [REPLY.deferred] },
  },
  {
    what: 'a restricted tenant',
    restricted: 'unregistered',
    from: LURE,
    expected: { ...unregistered(0), mail: REPLY.blocked },
  },
  {
    what: 'a restricted tenant, refused at RCPT',
    on: 'strict',
    restricted: 'unregistered',
    from: LURE,
    expected: { ...unregistered(0), rcpts: [REPLY.blocked] },
  },
  {
    what: 'a restricted tenant, refused at RCPT but for its own recipients',
    on: 'strict',
    restricted: 'unregistered',
    from: LURE,
    to: ['b@OWN', 'a@far.example'],
    expected: { ...unregistered(0), rcpts: ['ok', REPLY.blocked] },
  },
  {
    what: 'a restricted tenant in monitor, past its allowance',
    tenant: { limits: '1/1h', mode: 'monitor' },
    before: { unregistered: 1 },
    restricted: 'unregistered',
    from: LURE,
    expected: unregistered(2),
  },
  {
    what: 'a tenant that is off',
    tenant: { limits: '0/1h', mode: 'off' },
    restricted: 'all',
    from: LURE,
    expected: { ...unregistered(0), explained: { verdict: 'ignore', reply: null } },
  },

  { what: 'the null sender', from: '', expected: { ...nullSender(1), domain: null } },
  {
    what: 'the null sender, to the tenant itself',
    from: '',
    to: ['b@OWN'],
    expected: nullSender(0),
  },
  {
    what: 'the null sender of a restricted tenant',
    restricted: 'unregistered',
    from: '',
    expected: nullSender(1),
  },
  {
    what: 'the null sender past its allowance',
    tenant: { nullLimits: '1/1h' },
    from: '',
    to: recipients(2),
    expected: {
      ...nullSender(1),
      rcpts: ['ok', REPLY.nullSenderFull],
      explained: { verdict: 'charge', reply: null },
    },
  },
  {
    what: 'the null sender where none is allowed',
    tenant: { nullLimits: '0/1h' },
    from: '',
    expected: { ...nullSender(0), rcpts: [REPLY.nullSenderFull] },
  },
  {
    what: 'the null sender with a proof of a forward',
    tenant: FORWARDS,
    from: '',
    message: (own) => signMessage(letter(own), { domain: 'bank.example' }),
    expected: nullSender(1),
  },

  {
    what: 'another tenant’s domain',
    from: 'x@neighbour.example',
    expected: { ...foreign(), domain: 'neighbour.example' },
  },
  {
    what: 'a name below another tenant’s domain with its subdomains',
    from: 'x@a.b.neighbour.example',
    expected: foreign(),
  },
  {
    what: 'a name below another tenant’s domain without its subdomains',
    from: 'x@a.narrow.example',
    expected: unregistered(),
  },
  {
    what: 'a domain that another tenant shares',
    from: 'x@common.example',
    expected: unregistered(),
  },
  {
    what: 'another tenant’s domain, which is refused',
    on: 'strict',
    from: 'x@neighbour.example',
    to: recipients(2),
    expected: { ...foreign(0), rcpts: [REPLY.foreign, REPLY.foreign] },
  },
  {
    what: 'another tenant’s domain, which is refused, to the tenant itself',
    on: 'strict',
    from: 'x@neighbour.example',
    to: ['b@OWN'],
    expected: foreign(0),
  },
  {
    what: 'another tenant’s domain, which is refused, of a tenant in monitor',
    on: 'strict',
    tenant: { mode: 'monitor' },
    from: 'x@neighbour.example',
    expected: foreign(),
  },
  {
    what: 'another tenant’s domain past the allowance',
    tenant: { limits: '1/1h' },
    before: { unregistered: 1 },
    from: 'x@neighbour.example',
    expected: { ...foreign(1), rcpts: [REPLY.blocked], trips: true },
  },
]
