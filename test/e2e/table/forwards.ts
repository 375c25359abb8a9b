import type { Zone } from '../../support/dns'
import { REPLY } from '../../support/replies'
import {
  keyZones,
  sealMessage,
  signer,
  signMessage,
  type SealOptions,
  type SignOptions,
} from '../../support/signed'
import { onTop } from '../../message/proof/asking'
import {
  FORWARDS,
  letter,
  proven,
  recipients,
  unproven,
  unregistered,
  type Expected,
  type Row,
} from './row'

const bank = { domain: 'bank.example' }
const mailer = { domain: 'mail.bank.example' }
const other = { domain: 'other.example' }
const ed = { domain: 'bank.example', selector: 'ed', type: 'ed25519' } as const
/** The trusted sealer. */
export const SEALER = 'mailbox.example'
const sealer = { domain: SEALER }
const stranger = { domain: 'lists.example' }

const selected = (selector: string): { domain: string; selector: string } => ({ ...bank, selector })

/** The zones of the DNS. */
export const ZONES: Readonly<Record<string, Zone>> = {
  ...keyZones([bank, mailer, other, ed, sealer, stranger].map(signer)),
  ...keyZones([signer(selected('revoked'))], { p: '' }),
  ...keyZones([signer(selected('testing'))], { t: 'y' }),
  's-failing._domainkey.bank.example': { trouble: 'fail' },
}

const NEWS = 'news@bank.example'
/** A letter with this signature, and (where given) changed afterwards. */
const signed =
  (
    options: SignOptions = bank,
    changes: Parameters<typeof letter>[1] = {},
    then: (text: string, own: string) => string = (text) => text,
  ): NonNullable<Row['message']> =>
  (own) =>
    then(signMessage(letter(own, changes), options), own)

const to = (own: string): string => `pupil@${own}`
const toOther = { To: 'someone@elsewhere.example' }

/** A letter whose subject a list has changed, sealed by it. */
const sealed =
  (options: Partial<SealOptions> = {}): NonNullable<Row['message']> =>
  (own) =>
    sealMessage(signMessage(letter(own), bank).replace('Subject: ', 'Subject: [parents] '), {
      ...sealer,
      results: `${SEALER}; dkim=pass header.d=bank.example; dmarc=pass header.from=bank.example`,
      ...options,
    })

function forward(
  what: string,
  message: Row['message'],
  expected: Expected,
  more: Partial<Row> = {},
): Row {
  return { what, tenant: FORWARDS, from: NEWS, ...(message && { message }), expected, ...more }
}

const BANK = 'dkim bank.example'

/** What proves a forward. */
const PROOFS: readonly Row[] = [
  forward('signed by the organisation of the envelope sender', signed(), proven(BANK)),
  forward(
    'signed by a server of that organisation',
    signed(mailer),
    proven('dkim mail.bank.example'),
    {
      from: 'b-1@bounces.bank.example',
    },
  ),
  forward('signed by the organisation of From', signed(), proven(BANK), {
    from: 'b-1@mailer.example',
  }),
  forward('signed with Ed25519', signed(ed), proven(BANK)),
  forward(
    'to one of several',
    (own) => {
      return signMessage(letter(own, { To: `a@far.example, "Pupil, A." <${to(own)}>` }), bank)
    },
    proven(BANK),
  ),
  forward(
    'in copy',
    (own) => signMessage(letter(own, { ...toOther, Cc: to(own) }), bank),
    proven(BANK),
  ),
  forward(
    'to a group',
    (own) => signMessage(letter(own, { To: `Parents: a@far.example, ${to(own)};` }), bank),
    proven(BANK),
  ),
  forward(
    'to a name below an accepted domain with its subdomains',
    () => signMessage(letter('class-1.schools.example'), bank),
    proven(BANK),
    { tenant: { ...FORWARDS, domains: [{ domain: 'schools.example', subdomains: true }] } },
  ),
  forward(
    'with a second To above, which is not signed',
    signed(bank, {}, (text) => onTop('To: x@far.example', text)),
    proven(BANK),
  ),
  forward(
    'with a signature of another domain above',
    signed(bank, {}, (text) => signMessage(text, other)),
    proven(BANK),
  ),
  forward(
    'with fields on top that the tenant’s server has added',
    signed(bank, {}, (text) => onTop('Received: from a by b\r\nDelivered-To: pupil', text)),
    proven(BANK),
  ),
  forward('changed, and sealed by a trusted sealer', sealed(), proven(`arc ${SEALER}`)),
  forward(
    'of a domain that another tenant owns',
    signed(
      { domain: 'neighbour.example' },
      {
        From: 'x@neighbour.example',
      },
    ),
    { ...unproven('no key'), class: 'foreign' },
    { from: 'x@neighbour.example' },
  ),
  forward('to five', signed(), proven(BANK, 5), { to: recipients(5) }),
  forward(
    'to six, of which no signature proves more than five',
    signed(),
    { ...unproven('signature used up', 6), explained: { class: 'forwarded', proof: BANK } },
    { to: recipients(6) },
  ),
  forward('to two outside and one of the tenant', signed(), proven(BANK, 2), {
    to: ['a@far.example', 'b@OWN', 'c@far.example'],
  }),
  forward('to the tenant itself', signed(), unregistered(0), { to: ['b@OWN'] }),
  forward('of a tenant without an allowance for it', signed(), unregistered(), { tenant: {} }),
]

/** What prevents a proof. */
const NO_PROOFS: readonly Row[] = [
  forward('not signed', (own) => letter(own), unproven('unsigned')),
  forward(
    'with another body than was signed',
    signed(bank, {}, (text) => `${text}-- \r\nA footer\r\n`),
    unproven('body changed'),
  ),
  forward(
    'with another subject than was signed',
    signed(bank, {}, (text) => text.replace('Subject: ', 'Subject: [parents] ')),
    unproven('signature wrong'),
  ),
  forward(
    'signed for a part of the body',
    signed({ ...bank, tags: { l: '5' } }),
    unproven('body length limited'),
  ),
  forward(
    'with an expired signature',
    signed({ ...bank, tags: { t: '1600000000', x: '1700000000' } }),
    unproven('expired'),
  ),
  forward(
    'signed with SHA-1',
    signed({ ...bank, tags: { a: 'rsa-sha1' } }),
    unproven('weak algorithm'),
  ),
  forward('signed by another domain', signed(other), unproven('not aligned')),
  forward('addressed to others', signed(bank, toOther), unproven('not addressed to the tenant')),
  forward(
    'addressed to others, with a To of the tenant added above',
    signed(bank, toOther, (text, own) => onTop(`To: ${to(own)}`, text)),
    unproven('not addressed to the tenant'),
  ),
  forward(
    'with a To that is not signed',
    signed({ ...bank, headers: ['from', 'subject', 'date'] }),
    unproven('not addressed to the tenant'),
  ),
  forward(
    'addressed to the tenant in the name only',
    (own) => signMessage(letter(own, { To: `"${to(own)}" <x@far.example>` }), bank),
    unproven('not addressed to the tenant'),
  ),
  forward('whose key is not in DNS', signed(selected('absent')), unproven('no key')),
  forward('whose key was revoked', signed(selected('revoked')), unproven('unsuitable key')),
  forward('whose key is in test mode', signed(selected('testing')), unproven('key in test mode')),
  forward('whose key DNS cannot give', signed(selected('s-failing')), unproven('dns failure')),
  forward(
    'with two From',
    signed(bank, { From: ['ceo@bank.example', 'news@bank.example'] }),
    unproven('no single from'),
  ),
  forward('sealed by an untrusted sealer', sealed(stranger), {
    ...unproven('signature wrong'),
  }),
  forward(
    'not signed, and sealed by an untrusted sealer',
    (own) =>
      sealMessage(letter(own), { ...stranger, results: 'mx; dkim=pass header.d=bank.example' }),
    unproven('sealer not trusted'),
  ),
  forward(
    'sealed by a trusted sealer that found no pass',
    (own) =>
      sealMessage(letter(own), {
        ...sealer,
        results: `${SEALER}; dkim=fail header.d=bank.example`,
      }),
    unproven('no pass sealed'),
  ),
  forward(
    'sealed by a trusted sealer, and changed afterwards',
    async (own) =>
      `${await sealMessage(letter(own), { ...sealer, results: `${SEALER}; dkim=pass header.d=bank.example` })}More\r\n`,
    unproven('body changed'),
  ),
  forward(
    'that claims to be authentic',
    (own) =>
      onTop(`Authentication-Results: ${SEALER}; dkim=pass header.d=bank.example`, letter(own)),
    unproven('unsigned'),
  ),
]

const strict = { on: 'strict' } as const
const foreigner = { from: 'x@neighbour.example' }
const asForeigner: NonNullable<Row['message']> = signed(bank)
const notSigned: NonNullable<Row['message']> = (own) => letter(own)

/** The results of forwards, and of unproven ones, past limits and under restrictions. */
const DECISIONS: readonly Row[] = [
  forward(
    'proven, of a restricted tenant',
    signed(),
    { ...unregistered(0), mail: REPLY.blocked },
    {
      restricted: 'unregistered',
    },
  ),
  forward('proven, of a restricted tenant whose forwards pass', signed(), proven(BANK), {
    ...strict,
    restricted: 'unregistered',
  }),
  forward(
    'not proven, of a restricted tenant whose forwards pass',
    notSigned,
    {
      ...unregistered(0),
      end: REPLY.blocked,
    },
    { ...strict, restricted: 'unregistered' },
  ),
  forward(
    'proven, of a restricted tenant that has forwarded enough',
    signed(),
    {
      class: 'forwarded',
      counts: { forwarded: 1 },
      end: REPLY.blocked,
    },
    {
      ...strict,
      tenant: { forwardedLimits: '1/1h' },
      before: { forwarded: 1 },
      restricted: 'unregistered',
    },
  ),
  forward(
    'proven, of a tenant whose mail is all refused',
    signed(),
    {
      ...unregistered(0),
      mail: REPLY.blockedAll,
    },
    { ...strict, restricted: 'all' },
  ),
  forward(
    'proven, past the allowance for forwards',
    signed(),
    {
      class: 'forwarded',
      counts: { forwarded: 2 },
      end: REPLY.blocked,
      trips: true,
    },
    { tenant: { forwardedLimits: '2/1h' }, before: { forwarded: 2 } },
  ),
  forward(
    'proven, past an allowance for forwards that defers',
    signed(),
    {
      class: 'forwarded',
      counts: { forwarded: 2 },
      end: REPLY.deferred,
    },
    { tenant: { forwardedLimits: '2/1h defer' }, before: { forwarded: 2 } },
  ),
  forward(
    'proven, with an allowance for forwards of 0',
    signed(),
    {
      class: 'forwarded',
      end: REPLY.blocked,
    },
    { tenant: { forwardedLimits: '0/1h' } },
  ),
  forward(
    'proven, with an allowance for forwards without a limit',
    signed(),
    {
      ...proven(BANK, 0),
      explained: { verdict: 'charge', reply: null },
    },
    { tenant: { forwardedLimits: 'unlimited' } },
  ),
  forward(
    'proven, past the allowance of unregistered mail',
    signed(),
    {
      ...proven(BANK),
      counts: { unregistered: 1, forwarded: 1 },
    },
    { tenant: { ...FORWARDS, limits: '1/1h' }, before: { unregistered: 1 } },
  ),
  forward(
    'not proven, past the allowance',
    notSigned,
    {
      ...unregistered(1),
      end: REPLY.blocked,
      trips: true,
    },
    { tenant: { ...FORWARDS, limits: '1/1h' }, before: { unregistered: 1 } },
  ),
  forward(
    'not proven, past an allowance that defers',
    notSigned,
    {
      ...unregistered(1),
      end: REPLY.deferred,
    },
    { tenant: { ...FORWARDS, limits: '1/1h defer' }, before: { unregistered: 1 } },
  ),
  forward(
    'not proven, to more than are left: none is accepted',
    notSigned,
    {
      ...unregistered(0),
      end: REPLY.blocked,
      trips: true,
      explained: { verdict: 'charge', reply: null },
    },
    { tenant: { ...FORWARDS, limits: '1/1h' }, to: recipients(2) },
  ),
  forward(
    'not proven, past the allowance of a tenant in monitor',
    notSigned,
    unproven('unsigned', 3),
    {
      tenant: { ...FORWARDS, limits: '1/1h', mode: 'monitor' },
      before: { unregistered: 1 },
      to: recipients(2),
    },
  ),
  forward('proven, of a tenant in monitor', signed(), proven(BANK), {
    tenant: { ...FORWARDS, mode: 'monitor' },
  }),
  forward(
    'proven, of a tenant that is off',
    signed(),
    {
      ...unregistered(0),
      explained: { verdict: 'ignore', reply: null },
    },
    { tenant: { ...FORWARDS, mode: 'off' } },
  ),

  forward('proven, of another tenant’s domain', asForeigner, proven(BANK), foreigner),
  forward('proven, of another tenant’s domain, which is refused else', asForeigner, proven(BANK), {
    ...strict,
    ...foreigner,
  }),
  forward(
    'not proven, of another tenant’s domain',
    notSigned,
    {
      ...unproven('unsigned'),
      class: 'foreign',
    },
    foreigner,
  ),
  forward(
    'not proven, of another tenant’s domain, which is refused',
    notSigned,
    {
      class: 'foreign',
      end: REPLY.foreign,
    },
    { ...strict, ...foreigner },
  ),
  forward(
    'not proven, of another tenant’s domain, without an allowance for forwards',
    notSigned,
    {
      class: 'foreign',
      rcpts: [REPLY.foreign],
    },
    { ...strict, ...foreigner, tenant: {} },
  ),
]

export const FORWARDED: readonly Row[] = [...PROOFS, ...NO_PROOFS, ...DECISIONS]
