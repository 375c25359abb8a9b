import type { Charge } from '../allowance/ledger'
import type { DecisionSettings } from './settings'
import { envelopeDomain, type EnvelopeDomain, type HarakaAddress } from '../names/envelope'
import { acceptedDomainOf, ownsDomain, type Known, type Snapshot } from '../directory/snapshot'
import { modeInEffect, type Mode } from '../mail/mode'
import type { Attribution } from './attribution'
import { REPLIES, withCase, type Reply } from './reply'

/**
 * How a sender stands to its tenant. `foreign` and `forwarded` are unregistered: a domain that another tenant owns; and
 * mail that is proven to be a forward, which is known when the message is there.
 */
export type SenderClass = 'registered' | 'unregistered' | 'foreign' | 'forwarded' | 'null'

/** What a transaction's sender is, found once and kept while the facts it came from hold. */
export interface SenderStanding {
  /** `undefined`: the tenant is not known, so neither are its accepted domains. */
  readonly class: SenderClass | undefined
  /** The sender's domain; `undefined` for the null sender and for what is no DNS name. */
  readonly domain: string | undefined
  /** The accepted domain that covers it. */
  readonly matched: string | undefined
  /** The other tenant that owns it, where that is known. */
  readonly owner?: string
}

/**
 * When it is judged, by Haraka's hooks: at `mail` no recipient is known; at `rcpt` one is offered; at `rcpt_ok` it has
 * been accepted by all others, and is counted.
 */
export type Stage = 'mail' | 'rcpt' | 'rcpt_ok'

/** All that a judgement rests on. */
export interface Situation {
  readonly stage: Stage
  readonly relaying: boolean
  readonly attribution: Attribution
  /** The attributed tenant. */
  readonly snapshot: Known
  readonly sender: SenderStanding
  /** From `rcpt` on. */
  readonly recipient: HarakaAddress | undefined
  readonly config: DecisionSettings
}

/** Why, as a word that the results store and the log show. */
export type Reason =
  | 'not-relaying'
  | 'no-tenant'
  | 'off'
  | 'registered'
  | 'own-recipient'
  | 'allowance'
  | 'restricted'
  | 'foreign'
  | 'connector-blocked'
  | 'connector-disabled'
  | 'user-ambiguous'
  | 'connectors-unknown'
  | 'tenant-unknown'

export type Judgement =
  | { readonly verdict: 'ignore' | 'pass'; readonly reason: Reason }
  | { readonly verdict: 'charge'; readonly reason: 'allowance'; readonly meter: Charge['meter'] }
  | {
      readonly verdict: 'refuse' | 'tempfail'
      readonly reason: Reason
      readonly reply: Reply
    }

type Refusal = Extract<Judgement, { verdict: 'refuse' | 'tempfail' }>

const NOT_RELAYING: Judgement = { verdict: 'ignore', reason: 'not-relaying' }
const NO_TENANT: Judgement = { verdict: 'ignore', reason: 'no-tenant' }
const OFF: Judgement = { verdict: 'ignore', reason: 'off' }
const REGISTERED: Judgement = { verdict: 'pass', reason: 'registered' }
const OWN_RECIPIENT: Judgement = { verdict: 'pass', reason: 'own-recipient' }
const CHARGE: Judgement = { verdict: 'charge', reason: 'allowance', meter: 'unregistered' }
const CHARGE_NULL: Judgement = { verdict: 'charge', reason: 'allowance', meter: 'null' }
const PASS_UNKNOWN: Judgement = { verdict: 'pass', reason: 'tenant-unknown' }
const RESTRICTED: Refusal = { verdict: 'refuse', reason: 'restricted', reply: REPLIES.blocked }
const RESTRICTED_ALL: Refusal = {
  verdict: 'refuse',
  reason: 'restricted',
  reply: REPLIES.blockedAll,
}
const FOREIGN: Judgement = { verdict: 'refuse', reason: 'foreign', reply: REPLIES.foreign }
const DENIED: Judgement = { verdict: 'refuse', reason: 'no-tenant', reply: REPLIES.noTenant }
const BLOCKED: Judgement = {
  verdict: 'refuse',
  reason: 'connector-blocked',
  reply: REPLIES.connectorBlocked,
}
const DISABLED: Judgement = {
  verdict: 'refuse',
  reason: 'connector-disabled',
  reply: REPLIES.noTenant,
}
const CONNECTORS_UNKNOWN: Judgement = {
  verdict: 'tempfail',
  reason: 'connectors-unknown',
  reply: REPLIES.undecidable,
}
const USER_AMBIGUOUS: Judgement = {
  verdict: 'tempfail',
  reason: 'user-ambiguous',
  reply: REPLIES.undecidable,
}
const TENANT_UNKNOWN: Judgement = {
  verdict: 'tempfail',
  reason: 'tenant-unknown',
  reply: REPLIES.undecidable,
}

/** Finds the class of a sender: what cannot be a DNS name is unregistered. */
export function standingOf(sender: EnvelopeDomain, snapshot: Known): SenderStanding {
  if (sender.kind === 'null') return { class: 'null', domain: undefined, matched: undefined }
  const domain = sender.kind === 'domain' ? sender.domain : undefined
  if (!snapshot) return { class: undefined, domain, matched: undefined }
  const matched = domain === undefined ? undefined : acceptedDomainOf(snapshot, domain)
  return { class: matched === undefined ? 'unregistered' : 'registered', domain, matched }
}

/** The mode in effect for a tenant that this process may not know. */
export function modeOf(snapshot: Known, { main }: DecisionSettings): Mode {
  return modeInEffect(main, snapshot?.mode)
}

/**
 * Judges one stage of a transaction by what this process knows. A `charge` at `rcpt_ok` is decided in Redis; before that
 * it lets the transaction go on, whoever the recipient is.
 */
export function judge(situation: Situation): Judgement {
  const { attribution, snapshot, config } = situation
  if (!situation.relaying) return NOT_RELAYING
  if (config.main.override === 'off') return OFF

  const mode = modeOf(snapshot, config)
  if (attribution.kind === 'none') {
    const deny = config.attribution.unknown === 'deny' && mode === 'enforce'
    return deny ? DENIED : NO_TENANT
  }
  if (attribution.kind !== 'attributed') {
    if (config.main.override === 'monitor') return PASS_UNKNOWN
    return attribution.kind === 'ambiguous' ? USER_AMBIGUOUS : CONNECTORS_UNKNOWN
  }
  const enforcing = mode === 'enforce'
  if (attribution.blocked && enforcing) return BLOCKED
  if (!attribution.enabled && enforcing) return DISABLED
  // Before the mode: the tenant's own mode is not known either.
  if (!snapshot) {
    const accept = snapshot === undefined && config.outage.unregistered === 'accept'
    return accept || config.main.override === 'monitor' ? PASS_UNKNOWN : TENANT_UNKNOWN
  }
  if (mode === 'off') return OFF
  if (enforcing && snapshot.restricted === 'all') return namingCase(RESTRICTED_ALL, situation)
  if (situation.sender.class === 'registered') return REGISTERED
  return judgeOther(situation, snapshot, enforcing)
}

/** Unregistered senders and the null sender. */
function judgeOther(situation: Situation, snapshot: Snapshot, enforcing: boolean): Judgement {
  const { stage, sender, recipient, config } = situation
  const isNull = sender.class === 'null'
  const restricted =
    enforcing && !isNull && snapshot.restricted !== undefined && !waits(snapshot, config)
  const refuses = restricted && (stage !== 'mail' || config.main.refuseAt === 'mail')
  // Its message may be a forward from a neighbour.
  const foreign = enforcing && stage !== 'mail' && isRefusedForeign(sender, config)
  const refusesForeign = foreign && !snapshot.forwards
  // Recipients inside the tenant's own domains are not relay. Looked at only where it matters.
  const matters = refuses || refusesForeign || stage === 'rcpt_ok'
  if (matters && recipient !== undefined && isOwn(recipient, snapshot)) return OWN_RECIPIENT
  if (refuses) return namingCase(RESTRICTED, situation)
  if (refusesForeign) return FOREIGN
  return isNull ? CHARGE_NULL : CHARGE
}

/** A restricted tenant's message may be a forward that is accepted: it is looked at before it is refused. */
function waits(snapshot: Snapshot, config: DecisionSettings): boolean {
  return snapshot.forwards && config.forwarded.whenRestricted === 'accept'
}

/** Whether it is refused for the tenant that owns its domain, unless it is a proven forward. */
export function isRefusedForeign(sender: SenderStanding, config: DecisionSettings): boolean {
  return sender.class === 'foreign' && config.foreign.action === 'refuse'
}

/**
 * Whether a transaction may have one recipient only, own ones aside: that of the null sender while the tenant is restricted.
 * A bounce has one, and what an intruder sends as one has many.
 */
export function takesOneRecipient(
  sender: SenderStanding,
  snapshot: Snapshot,
  config: DecisionSettings,
): boolean {
  const isRestricted = sender.class === 'null' && snapshot.restricted !== undefined
  return isRestricted && modeOf(snapshot, config) === 'enforce'
}

function namingCase(judgement: Refusal, { snapshot, config }: Situation): Judgement {
  if (!config.reply.case || !snapshot) return judgement
  return { ...judgement, reply: withCase(judgement.reply, snapshot.case) }
}

/** Whether a recipient is in a domain that the tenant owns: mail to it is not relayed, and costs nothing. */
export function isOwn(recipient: HarakaAddress, snapshot: Snapshot): boolean {
  const found = envelopeDomain(recipient)
  return found.kind === 'domain' && ownsDomain(snapshot, found.domain)
}
