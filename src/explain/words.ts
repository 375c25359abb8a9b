import type { ChargeResult } from '../allowance/charge-answer'
import type { Usage } from '../allowance/usage'
import { CLASSES, UNKNOWN } from '../mail/classes'
import { formatWindow } from '../mail/limits'
import { METER_NAMES, METERS } from '../mail/meters'
import { describeTemporary } from '../mail/temporary'
import type { DecisionSettings } from '../decision/settings'
import { addressText, type HarakaAddress } from '../names/envelope'
import { registrableDomain } from '../names/registrable'
import type { Known } from '../directory/snapshot'
import type { ConnectorBlock } from '../mail/tenant'
import { shortTime } from '../base/time'
import type { Attribution, Facts, Method } from '../decision/attribution'
import type { SenderStanding } from '../decision/classify'
import { modeOf, type Judgement, type Reason } from '../decision/judge'
import type { Outcome } from '../decision/outcome'
import { formatReply } from '../decision/reply'
import { overrideInWords } from '../enforcement/in-effect'

export const METHODS: Readonly<Record<Method, string>> = {
  auth: 'AUTH user',
  tls: 'certificate',
  ip: 'address',
  auth_user_domain: 'owner of the AUTH user’s domain',
  note: 'note of a plugin',
}

const REASONS: Record<Reason, string> = {
  'not-relaying': 'the session does not relay',
  'no-tenant': 'no tenant matches the session',
  off: 'the mode is off',
  registered: 'the sender domain is registered',
  'own-recipient': 'the recipient is in a domain of the tenant itself',
  allowance: 'counted for each recipient',
  restricted: 'the tenant is restricted',
  foreign: 'another tenant owns the sender domain',
  'connector-blocked': 'the connector is blocked',
  'connector-disabled': 'the connector is disabled',
  'user-ambiguous': 'several connectors have an AUTH user that differs in its spelling only',
  'connectors-unknown': 'the connectors could not be loaded',
  'tenant-unknown': 'there is no such tenant, or it could not be read',
}

/**
 * Words for the attribution of a session.
 *
 * @param block of its connector.
 */
export function attributionInWords(
  attribution: Attribution,
  facts: Facts,
  config: DecisionSettings,
  block: ConnectorBlock | undefined,
): string {
  if (attribution.kind === 'none') {
    const shown = [
      facts.authUser === undefined ? [] : [`AUTH user ${facts.authUser}`],
      facts.certificate === undefined ? [] : [`certificate ${facts.certificate.names.join(', ')}`],
      facts.ip === '' ? [] : [`address ${facts.ip}`],
    ].flat()
    return `no connector matches ${shown.join(', ') || 'a session without an address, AUTH user or certificate'}; unknown=${config.attribution.unknown}`
  }
  if (attribution.kind === 'ambiguous') {
    const connectors = attribution.connectors.join(', ')
    return `AUTH user ${JSON.stringify(facts.authUser)} differs in its spelling only from a user of each of ${connectors}`
  }
  if (attribution.kind !== 'attributed') return 'cannot be attributed at the moment'
  const { tenant, connector, method, enabled } = attribution
  const whose = connector === undefined ? `tenant ${tenant}` : `connector ${connector}`
  const state = block ? `blocked ${blockInWords(block)}` : enabled ? undefined : 'disabled'
  return `${METHODS[method]} → ${whose}${state === undefined ? '' : `, which is ${state}`}`
}

/** `since 2026-01-02T03:04:05Z by anna: reason` */
export function blockInWords({ since, by, reason }: ConnectorBlock): string {
  return `since ${shortTime(since)} by ${by}: ${reason}`
}

/** Words for mode, restriction, and limits that apply for some time, of a tenant. */
export function tenantInWords(
  snapshot: Known,
  config: DecisionSettings,
  temporary: Usage['temporary'],
): string {
  if (!snapshot) return 'there is no such tenant'
  const from =
    overrideInWords(config.main, snapshot) ??
    (snapshot.mode === undefined ? '[main] mode' : 'its own')
  const restriction =
    snapshot.restricted === undefined
      ? 'not restricted'
      : `restricted (${snapshot.restricted}) by ${snapshot.restrictedBy}`
  const limits = METER_NAMES.flatMap((meter) => {
    const found = temporary[meter]
    return found
      ? [`, allowance${METERS[meter].words.allowance}: ${describeTemporary(found, found.usual)}`]
      : []
  })
  return `mode ${modeOf(snapshot, config)} (${from}), ${restriction}, accepted domains: ${snapshot.domains.size}${limits.join('')}`
}

/** Words for the class of the sender. */
export function senderInWords(sender: HarakaAddress, standing: SenderStanding): string {
  const known = CLASSES[standing.class].words.sender
  if (known !== undefined) return known
  const { domain, matched, owner } = standing
  if (domain === undefined) return `${addressText(sender)} has no domain that could be registered`
  if (standing.class === UNKNOWN) return `${domain}: without a tenant it has no class`
  if (matched !== undefined) {
    return matched === domain ? `${domain} is registered` : `${domain} is registered by ${matched}`
  }
  if (owner !== undefined) return `${domain} is not registered: tenant ${owner} owns it`
  const organisation = registrableDomain(domain)
  const hint =
    organisation === undefined || organisation === domain ? '' : ` (neither is ${organisation})`
  return `${domain} is not registered${hint}`
}

/** Words for a judgement. */
export function judgementInWords(judgement: Judgement): string {
  const why = REASONS[judgement.reason]
  if ('reply' in judgement) return `${formatReply(judgement.reply)} (${why})`
  return judgement.verdict === 'ignore' ? `not handled by this plugin: ${why}` : `passes: ${why}`
}

/** Words for the answer of a charge. */
export function chargeInWords(result: ChargeResult, { reply }: Outcome): string {
  const { used, limit, window, answer } = result
  const meter = window === 0 ? 'unlimited' : `${used} of ${limit} in ${formatWindow(window)}`
  if (answer === 'HELD') return 'passes, and is held: the message decides which meter counts it'
  if (answer === 'BUSY') return `${formatReply(reply!)} (${meter}: the maximum held at once)`
  if (answer === 'CHARGED') return `passes, and is counted: ${meter} with this recipient`
  if (!reply) return 'passes without being counted'
  const why = answer === 'TRIPPED' ? `this recipient would restrict the tenant: ${meter}` : meter
  return `${formatReply(reply)} (${answer === 'RESTRICTED' ? REASONS.restricted : why})`
}
