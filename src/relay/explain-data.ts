import { Readable } from 'node:stream'
import type { Settlement, SettlementResult } from '../allowance/ledger'
import type { Config } from '../config'
import type { Finding } from '../forwarded/finding'
import { examine, type Examination } from '../forwarded/prove'
import { fromFields, headerFromMismatch } from '../header-from/mismatch'
import { headerLines } from '../header-from/header-lines'
import { acceptedDomainOf, type Snapshot } from '../tenants/snapshot'
import { isRefusedForeign, modeOf, type SenderStanding } from './judge'
import { outcomeOf, type Outcome } from './outcome'
import { formatReply, REPLIES, type Reply } from './reply'

/** What is known when the message is there. */
export interface DataQuestion {
  readonly message: Buffer
  readonly standing: SenderStanding
  readonly snapshot: Snapshot
  readonly config: Config
  /** What Redis would do with its recipients, changing nothing. */
  readonly preview: (
    message: Pick<Settlement, 'meter' | 'signatures' | 'domain'>,
  ) => Promise<SettlementResult>
}

/** What becomes of the message. */
interface DataOutcome extends Pick<Outcome, 'verdict' | 'reply'> {
  /** Its recipients are counted. */
  readonly counts: boolean
}

/** What the end of DATA decides. */
export interface DataAnswer {
  readonly isForwarded: boolean
  /** Absent: the answer to RCPT stands. */
  readonly outcome?: DataOutcome
  readonly findings: readonly string[]
}

/** Says what proves an unregistered message to be a forward, and what becomes of it. */
export async function explainUnregistered(question: DataQuestion): Promise<DataAnswer> {
  const { standing, snapshot, config, message } = question
  const examination = await examine({
    ...{ message: Readable.from([message]), size: message.length },
    envelopeDomain: standing.domain,
    isAccepted: (domain) => acceptedDomainOf(snapshot, domain) !== undefined,
    arcSealers: config.forwarded.arcSealers,
  })
  const findings = proofInWords(examination)
  const { result: proof } = examination
  if (!snapshot.forwards) {
    const { tenant } = snapshot
    const hint = `tenantctl tenant set ${tenant} --forwarded-limits LIST`
    const text = `it has no allowance for forwards, so nobody looks for a proof (${hint})`
    return { isForwarded: false, findings: [...findings, text] }
  }
  const isProven = proof.kind !== 'none'
  const enforcing = modeOf(snapshot, config) === 'enforce'
  if (!isProven && enforcing && isRefusedForeign(standing, config)) {
    return { isForwarded: false, outcome: refused(REPLIES.foreign), findings }
  }
  const result = await question.preview({
    meter: isProven ? 'forwarded' : 'unregistered',
    signatures: isProven ? proof.signatures : [],
    domain: standing.domain ?? '',
  })
  if (result.exhausted) {
    findings.push('the signature has proven five recipients in the longest window: no more')
  }
  const isForwarded = result.meter === 'forwarded'
  const counts = result.answer === 'CHARGED' || result.answer === 'FORWARDED'
  return { isForwarded, outcome: { ...outcomeOf(result, config), counts }, findings }
}

/** Says what the From of a registered message does. */
export async function explainRegistered(question: DataQuestion): Promise<DataAnswer> {
  const { message, snapshot, config } = question
  const { check } = config.headerFrom
  const fields = fromFields(headerLines(message))
  const mismatch = headerFromMismatch(
    fields,
    (domain) => acceptedDomainOf(snapshot, domain) !== undefined,
  )
  if (mismatch === undefined) {
    return { isForwarded: false, findings: ['From names accepted domains only'] }
  }
  const names = mismatch === '' ? 'From names no address' : `From names ${mismatch}`
  const found = `${names}, which is no accepted domain`
  if (check !== 'charge') {
    const then = check === 'off' ? 'nobody looks' : 'reported, of one in twenty messages'
    return { isForwarded: false, findings: [`${found}: ${then}`] }
  }
  const result = await question.preview({
    ...{ meter: 'unregistered', signatures: [], domain: mismatch },
  })
  const outcome = { ...outcomeOf(result, config), counts: result.answer === 'CHARGED' }
  return {
    ...{ isForwarded: false, outcome },
    findings: [`${found}: counted as unregistered mail`],
  }
}

/** The outcome, in words. */
export function dataInWords({ isForwarded }: DataAnswer, { reply, counts }: DataOutcome): string {
  if (reply) return formatReply(reply)
  const meter = isForwarded ? 'forwarded' : 'unregistered'
  return counts ? `passes, and is counted as ${meter}` : 'passes without being counted'
}

function refused(reply: Reply): DataOutcome {
  return { verdict: 'refuse', reply, counts: false }
}

/** What each signature proves, and what follows for the message. */
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
