import type { DecisionSettings } from './settings'
import { envelopeDomain, type HarakaAddress } from '../names/envelope'
import { ownsDomain, type Known, type Snapshot } from '../directory/snapshot'
import { CLASSES } from '../mail/classes'
import { METER_NAMES, METERS, type Meter } from '../mail/meters'
import { modeDespitePause, modeInEffect, type Mode } from '../mail/mode'
import type { Attribution } from './attribution'
import type { SenderStanding } from './classify'
import { REPLIES, withCase, type Reply } from './reply'

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
  | { readonly verdict: 'charge'; readonly reason: 'allowance'; readonly meter: Meter }
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
const CHARGES = Object.fromEntries(
  METER_NAMES.map((meter) => [meter, { verdict: 'charge', reason: 'allowance', meter }]),
) as Readonly<Record<Meter, Judgement>>
const PASS_UNKNOWN: Judgement = { verdict: 'pass', reason: 'tenant-unknown' }
const RESTRICTED: Refusal = { verdict: 'refuse', reason: 'restricted', reply: REPLIES.blocked }
const RESTRICTED_ALL: Refusal = {
  verdict: 'refuse',
  reason: 'restricted',
  reply: REPLIES.blockedAll,
}
const OUTRIGHT = {
  foreign: { verdict: 'refuse', reason: 'foreign', reply: REPLIES.foreign },
} as const satisfies Record<string, Refusal>
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

/** The mode in effect for a tenant that this process may not know. */
export function modeOf(snapshot: Known, { main }: DecisionSettings): Mode {
  return modeInEffect(main, snapshot)
}

/**
 * Judges one stage of a transaction by what this process knows. A `charge` at `rcpt_ok` is decided in Redis; before that
 * it lets the transaction go on, for any recipient.
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
    if (config.main.override !== undefined) return PASS_UNKNOWN
    return attribution.kind === 'ambiguous' ? USER_AMBIGUOUS : CONNECTORS_UNKNOWN
  }
  if (attribution.blocked && refusesConnectors(situation)) return BLOCKED
  if (!attribution.enabled && refusesConnectors(situation)) return DISABLED
  // Before the mode: the tenant's own mode is not known either.
  if (!snapshot) {
    const accept = snapshot === undefined && config.outage.unregistered === 'accept'
    return accept || config.main.override !== undefined ? PASS_UNKNOWN : TENANT_UNKNOWN
  }
  if (mode === 'off') return OFF
  const enforcing = mode === 'enforce'
  if (enforcing && snapshot.restricted === 'all') return namingCase(RESTRICTED_ALL, situation)
  if (CLASSES[situation.sender.class].passes) return REGISTERED
  return judgeOther(situation, snapshot, enforcing)
}

/** Blocked and disabled connectors; a pause leaves them as they are. */
function refusesConnectors({ snapshot, config }: Situation): boolean {
  return modeDespitePause(config.main, snapshot) === 'enforce'
}

/** Senders whose mail a meter counts. */
function judgeOther(situation: Situation, snapshot: Snapshot, enforcing: boolean): Judgement {
  const { stage, sender, recipient, config } = situation
  const { meter, refused } = CLASSES[sender.class]
  // A tenant that is known has no sender of an unknown class.
  if (meter === undefined) return TENANT_UNKNOWN
  const { whileRestricted } = METERS[meter]
  // Its message may be a forward, also one from a neighbour: it is looked at before it is refused.
  const mayProve = mayBeForward(meter, snapshot, config)
  const waits = mayProve && config.forwarded.whenRestricted === 'accept'
  const restricted =
    enforcing && whileRestricted === 'stopped' && snapshot.restricted !== undefined && !waits
  const refuses = restricted && (stage !== 'mail' || config.main.refuseAt === 'mail')
  const outright =
    enforcing && stage !== 'mail' && !mayProve && refused?.when(config) ? refused.as : undefined
  // Recipients inside the tenant's own domains are not relay. Looked at only where it matters.
  const matters = refuses || outright !== undefined || stage === 'rcpt_ok'
  if (matters && recipient !== undefined && isOwn(recipient, snapshot)) return OWN_RECIPIENT
  if (refuses) return namingCase(RESTRICTED, situation)
  return outright === undefined ? CHARGES[meter] : OUTRIGHT[outright]
}

/**
 * Whether mail of a meter may be proven to be a forward: its recipients are held until the message is there. The only
 * place where an allowance for forwards meets `[forwarded] enabled`: what is held here, this process must charge later.
 */
export function mayBeForward(
  meter: Meter,
  { forwards }: Snapshot,
  { forwarded }: Pick<DecisionSettings, 'forwarded'>,
): boolean {
  return METERS[meter].held && forwards && forwarded.enabled
}

/**
 * Why a sender is refused outright, unless its message is a proven forward; `undefined`: it is not. Both the token of the
 * refusal and the name of its reply.
 */
export function refusedOutright(
  { class: of }: SenderStanding,
  snapshot: Snapshot,
  config: DecisionSettings,
): keyof typeof OUTRIGHT | undefined {
  const { refused } = CLASSES[of]
  return refused?.when(config) && modeOf(snapshot, config) === 'enforce' ? refused.as : undefined
}

/**
 * Whether a transaction may have one recipient only, own ones aside: a bounce, while the tenant is restricted, has one, and
 * what an intruder sends as one has many.
 */
export function takesOneRecipient(
  { class: of }: SenderStanding,
  snapshot: Snapshot,
  config: DecisionSettings,
): boolean {
  const { meter } = CLASSES[of]
  if (meter === undefined || METERS[meter].whileRestricted !== 'tenth') return false
  return snapshot.restricted !== undefined && modeOf(snapshot, config) === 'enforce'
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
