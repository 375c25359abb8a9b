import { tenantctl } from '../base/command-line'
import { Readable } from 'node:stream'
import type { MessageCharge, MessageResult } from '../allowance/ledger'
import type { ExplainSettings } from './settings'
import type { Finding } from '../message/proof/finding'
import { examine, type Examination } from '../message/proof/prove'
import { fromFields, headerFromMismatch } from '../message/mismatch'
import { headerLines } from '../message/header-lines'
import { acceptedDomainOf, type Snapshot } from '../directory/snapshot'
import { addressText, type HarakaAddress } from '../names/envelope'
import { isOwn, mayBeForward, refusedOutright } from '../decision/judge'
import { byHeaderFrom, provenForward, type SenderStanding } from '../decision/classify'
import { countedOn } from '../allowance/charges'
import { CLASSES, USUAL_CLASS, type MailClass } from '../mail/classes'
import { METERS, PROVEN_METER, separated, type Meter } from '../mail/meters'
import { outcomeOf, type Outcome } from '../decision/outcome'
import { formatReply, REPLIES, type Reply } from '../decision/reply'

/** The input for the end of DATA. */
export interface DataQuestion {
  readonly message: Buffer
  /** `undefined`: any recipient outside the tenant's domains. */
  readonly recipient: HarakaAddress | undefined
  readonly standing: SenderStanding
  readonly snapshot: Snapshot
  readonly config: ExplainSettings
  /** Asks Redis what it would do with the recipients, without a change. */
  readonly preview: (
    message: Pick<MessageCharge, 'meter' | 'otherwise' | 'provenOnly' | 'signatures' | 'domain'>,
  ) => Promise<MessageResult>
}

/** The outcome for the message. */
interface DataOutcome extends Pick<Outcome, 'verdict' | 'reply'> {
  /** Its recipients are counted. */
  readonly counts: boolean
}

/** The decision at the end of DATA. */
export interface DataAnswer {
  /** Absent: the class of the envelope sender. */
  readonly class?: MailClass
  /** Absent: as at RCPT. */
  readonly outcome?: DataOutcome
  readonly findings: readonly string[]
}

/**
 * Explains whether a message is proven to be a forward, and its outcome.
 *
 * @param meter the meter that counts it without proof.
 */
export async function explainUnregistered(
  question: DataQuestion,
  meter: Meter,
): Promise<DataAnswer> {
  const { standing, snapshot, config, message } = question
  const examination = await examine({
    ...{ tenant: snapshot.tenant, message: Readable.from([message]), size: message.length },
    envelopeDomain: standing.domain,
    isAccepted: (domain) => acceptedDomainOf(snapshot, domain) !== undefined,
    arcSealers: config.forwarded.arcSealers,
  })
  const findings = proofInWords(examination)
  const { result: proof } = examination
  if (!mayBeForward(meter, snapshot, config)) {
    return {
      findings: [...findings, `${whyNotLookedFor(snapshot, config)}, so no proof is looked for`],
    }
  }
  const isProven = proof.kind !== 'none'
  const outright = refusedOutright(standing, snapshot, config)
  if (!isProven && outright !== undefined) {
    return { outcome: refused(REPLIES[outright]), findings }
  }
  const signatures = isProven ? proof.signatures : []
  const result = await question.preview({
    ...countedOn(meter, signatures),
    ...{ provenOnly: outright !== undefined, signatures, domain: standing.domain ?? '' },
  })
  if (result.exhausted) {
    findings.push(
      'the signature has already proven five recipients in the longest window, which is the maximum',
    )
  }
  const counts = result.answer === 'CHARGED' || result.answer === 'FORWARDED'
  return {
    ...(METERS[result.meter].proven && { class: provenForward(standing).class }),
    ...{ outcome: { ...outcomeOf(result, result.meter, config), counts }, findings },
  }
}

function whyNotLookedFor({ tenant }: Snapshot, { forwarded }: ExplainSettings): string {
  if (!forwarded.enabled) return '[forwarded] enabled=false'
  const option = separated(METERS[PROVEN_METER].limitsField, '-')
  return `it has no allowance for forwards (${tenantctl('tenant', 'set', tenant)} --${option} LIST)`
}

/** Explains the effect of the header From of a registered message. */
export async function explainRegistered(question: DataQuestion): Promise<DataAnswer> {
  const { message, recipient, snapshot, config } = question
  const { check } = config.headerFrom
  const fields = fromFields(headerLines(message))
  const mismatch = headerFromMismatch(
    fields,
    (domain) => acceptedDomainOf(snapshot, domain) !== undefined,
  )
  if (mismatch === undefined) {
    return { findings: ['From has accepted domains only'] }
  }
  const found =
    mismatch === ''
      ? 'From has no address'
      : `From has ${mismatch}, which is not an accepted domain`
  if (check !== 'charge') {
    const then = check === 'off' ? 'not checked' : 'reported, for one in fifty messages'
    return { findings: [`${found}: ${then}`] }
  }
  if (recipient !== undefined && isOwn(recipient, snapshot)) {
    return {
      findings: [`${found}, but ${addressText(recipient)} is in a domain of the tenant itself`],
    }
  }
  const { class: of } = byHeaderFrom(mismatch)
  const meter = CLASSES[of].meter!
  const result = await question.preview({ meter, signatures: [], domain: mismatch })
  const outcome = { ...outcomeOf(result, meter, config), counts: result.answer === 'CHARGED' }
  return {
    ...{ class: of, outcome },
    findings: [`${found}: counted as ${METERS[meter].words.name}`],
  }
}

/** Words for the outcome. */
export function dataInWords(answer: DataAnswer, { reply, counts }: DataOutcome): string {
  if (reply) return formatReply(reply)
  const meter = CLASSES[answer.class ?? USUAL_CLASS].meter
  return counts ? `passes, and is counted as ${meter}` : 'passes without being counted'
}

function refused(reply: Reply): DataOutcome {
  return { verdict: 'refuse', reply, counts: false }
}

/** Words for the result of each signature, and for that of the message. */
function proofInWords({ result, findings }: Examination): string[] {
  const each = findings.map(findingInWords)
  if (result.kind === 'none') {
    const detail = result.detail === undefined ? '' : ` (${result.detail})`
    return [...each, `no proof that it is a forward: ${result.reason}${detail}`]
  }
  const what = result.kind === 'dkim' ? 'signed by' : 'vouched for by the ARC seal of'
  return [...each, `a proven forward, ${what} ${result.domain}`]
}

function findingInWords({ kind, domain, selector, reason }: Finding): string {
  const name = kind === 'dkim' ? 'DKIM signature' : 'ARC chain'
  const of = domain === undefined ? '' : ` of ${domain} (selector ${selector ?? 'unknown'})`
  return `${name}${of}: ${reason ?? 'proves it'}`
}
