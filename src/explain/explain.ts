import type { ChargeResult } from '../allowance/charge-answer'
import type { Ledger } from '../allowance/ledger'
import type { ExplainSettings } from './settings'
import { toDomain } from '../names/domain'
import { envelopeDomain, parseEnvelope, type HarakaAddress } from '../names/envelope'
import { Directory } from '../directory/directory'
import type { Snapshot } from '../directory/snapshot'
import { attribute, type Attributed, type Attribution, type Facts } from '../decision/attribution'
import {
  attributionInWords,
  chargeInWords,
  judgementInWords,
  senderInWords,
  tenantInWords,
} from './words'
import { defaultsOf } from '../allowance/defaults'
import {
  dataInWords,
  explainRegistered,
  explainUnregistered,
  type DataAnswer,
  type DataQuestion,
} from './data'
import {
  judge,
  mayBeForward,
  takesOneRecipient,
  type Judgement,
  type Situation,
} from '../decision/judge'
import { mayBeOwned, ownedBy, standingOf, type SenderStanding } from '../decision/classify'
import { CLASSES, notedClass, type KnownClass, type MailClass } from '../mail/classes'
import { METERS, type Meter } from '../mail/meters'
import { outcomeOf } from '../decision/outcome'
import { formatReply, REPLIES, type Reply } from '../decision/reply'
import type { Store } from '../store/store'

/** A message to explain: its envelope and the facts of the session. */
export interface Question {
  /** Envelope sender; empty: the null sender. */
  readonly from: string
  /** Envelope recipient; `undefined`: any recipient outside the tenant's domains. */
  readonly to: string | undefined
  readonly ip: string | undefined
  readonly authUser: string | undefined
  /** A name in a verified certificate of the client. */
  readonly certificateName: string | undefined
  /** The message at DATA, with CRLF. */
  readonly message?: Buffer | undefined
}

/** The outcome of a message, step by step. */
export interface Explanation {
  readonly tenant: string | null
  /** `tenant/name` */
  readonly connector: string | null
  readonly class: KnownClass | null
  /** The sender's domain. */
  readonly domain: string | null
  /** The accepted domain that covers it. */
  readonly matched: string | null
  /** The other tenant that owns the domain. */
  readonly owner: string | null
  readonly verdict: 'pass' | 'charge' | 'refuse' | 'tempfail' | 'ignore'
  readonly reply: string | null
  /** In the order of the hooks. */
  readonly steps: readonly Step[]
}

interface Step {
  readonly about: 'session' | 'tenant' | 'sender' | 'MAIL' | 'RCPT' | 'DATA'
  readonly finding: string
}

/** A directory that reads the registry once, and ignores later changes. */
export function readOnce(store: Store): Directory {
  return new Directory(store, { onReady: () => {}, onRestriction: () => {}, onError: () => {} })
}

/** What an explanation reads. Nothing is written. */
export interface Sources {
  /** Need not follow changes: everything is read again. */
  readonly directory: Directory
  readonly ledger: Ledger
  readonly config: ExplainSettings
}

/**
 * Explains what the hooks would do with a message of a relaying session, by the code that they run.
 *
 * @throws {InputError} an invalid address; what ioredis throws where Redis gives no answer.
 */
export async function explainMessage(question: Question, sources: Sources): Promise<Explanation> {
  const { directory, config } = sources
  const sender = parseEnvelope(question.from)
  const recipient = question.to === undefined ? undefined : parseEnvelope(question.to)
  const facts = factsOf(question)
  await directory.loadConnectors()
  const attribution = await attributeNow(facts, sources)
  const attributed = attribution.kind === 'attributed' ? attribution : undefined
  const snapshot = attributed && ((await directory.load(attributed.tenant)) ?? null)
  const usage = attributed && (await sources.ledger.usage(attributed.tenant, defaultsOf(config)))
  const temporary = usage?.temporary ?? {}
  const block = directory.connectors?.get(attributed?.connector ?? '')?.blocked
  const standing = await withOwner(
    standingOf(envelopeDomain(sender), snapshot),
    attributed,
    directory,
  )
  const situation: Situation = {
    stage: 'mail',
    relaying: true,
    attribution,
    snapshot,
    sender: standing,
    recipient: undefined,
    config,
  }

  const atMail = judge(situation)
  const steps: Step[] = [
    { about: 'session', finding: attributionInWords(attribution, facts, config, block) },
    ...(attributed ? [step('tenant', tenantInWords(snapshot, config, temporary))] : []),
    { about: 'sender', finding: senderInWords(sender, standing) },
    { about: 'MAIL', finding: judgementInWords(atMail) },
  ]
  let found: Found = { verdict: atMail.verdict, reply: replyOf(atMail), steps }
  const continues = (): boolean => found.reply === undefined && found.verdict !== 'ignore'
  const whose = attributed && snapshot ? { attributed, snapshot } : undefined
  const atRcpt = judge({ ...situation, stage: 'rcpt_ok', recipient })
  if (continues()) found = after(found, await explainRcpt(atRcpt, whose, question, sources))
  let mailClass: MailClass = standing.class
  if (continues() && whose) {
    const asked = { question, recipient, standing, whose, atRcpt }
    const atData = await explainData(asked, sources)
    mailClass = atData?.class ?? mailClass
    if (atData) found = after(found, dataFound(atData, found))
  }
  return {
    tenant: attributed?.tenant ?? null,
    connector: attributed?.connector ?? null,
    class: notedClass(mailClass),
    domain: standing.domain ?? null,
    matched: standing.matched ?? null,
    owner: standing.owner ?? null,
    verdict: found.verdict,
    reply: found.reply ? formatReply(found.reply) : null,
    steps: found.steps,
  }
}

/** The outcome so far. */
interface Found {
  readonly verdict: Explanation['verdict']
  readonly reply: Reply | undefined
  readonly steps: readonly Step[]
}

/** The session's attribution and its tenant. */
interface Whose {
  readonly attributed: Attributed
  readonly snapshot: Snapshot
}

function after({ steps }: Found, next: Found): Found {
  return { ...next, steps: [...steps, ...next.steps] }
}

const ONE_RECIPIENT = `the tenant is restricted: a tenth of the null sender’s limits counts, and a second recipient of the transaction gets ${formatReply(REPLIES.oneRecipient)}`

/** RCPT: Redis decides about a recipient that is counted. */
async function explainRcpt(
  judgement: Judgement,
  whose: Whose | undefined,
  question: Question,
  sources: Sources,
): Promise<Found> {
  if (judgement.verdict !== 'charge' || !whose) {
    const steps = [step('RCPT', judgementInWords(judgement))]
    return { verdict: judgement.verdict, reply: replyOf(judgement), steps }
  }
  const result = await preview(judgement.meter, whose, question, sources)
  const outcome = outcomeOf(result, judgement.meter, sources.config)
  const counts = result.answer === 'CHARGED' || result.answer === 'HELD'
  const steps = [step('RCPT', chargeInWords(result, outcome))]
  const sender = standingOf(envelopeDomain(parseEnvelope(question.from)), whose.snapshot)
  if (takesOneRecipient(sender, whose.snapshot, sources.config)) {
    steps.push(step('RCPT', ONE_RECIPIENT))
  }
  return { verdict: counts ? 'charge' : outcome.verdict, reply: outcome.reply, steps }
}

/** The outcome after the end of DATA. */
function dataFound(data: DataAnswer, before: Found): Found {
  const { outcome, findings } = data
  const steps = findings.map((finding) => step('DATA', finding))
  if (!outcome) return { ...before, steps }
  return {
    verdict: outcome.counts ? 'charge' : outcome.verdict,
    reply: outcome.reply,
    steps: [...steps, step('DATA', dataInWords(data, outcome))],
  }
}

/** Adds the other tenant that owns the sender domain, if there is one. */
async function withOwner(
  standing: SenderStanding,
  attributed: Attributed | undefined,
  directory: Directory,
): Promise<SenderStanding> {
  if (!mayBeOwned(standing) || !attributed) return standing
  const owner = await directory.askOwner(standing.domain!, attributed.tenant)
  return ownedBy(standing, owner, attributed.tenant)
}

/** The input for DATA. */
interface BeforeData {
  readonly question: Question
  readonly recipient: HarakaAddress | undefined
  readonly standing: SenderStanding
  readonly whose: Whose
  readonly atRcpt: Judgement
}

/** `undefined`: the end of DATA decides nothing. */
async function explainData(
  { question, recipient, standing, whose, atRcpt }: BeforeData,
  { ledger, config }: Sources,
): Promise<DataAnswer | undefined> {
  const { attributed, snapshot } = whose
  const { message } = question
  const { meter, headerFrom } = CLASSES[standing.class]
  const isHeld = meter !== undefined && METERS[meter].held
  if (!message) {
    const mayProve = isHeld && mayBeForward(meter, snapshot, config)
    if (!mayProve || atRcpt.verdict !== 'charge') return undefined
    const text =
      'counted as forwarded or as unregistered, depending on the message: give --message FILE'
    return { findings: [text] }
  }
  const preview: DataQuestion['preview'] = (counted) =>
    ledger.previewMessage(
      {
        ...{ tenant: attributed.tenant, transaction: 'explain', ordinals: [1], ...counted },
        ...{ connector: attributed.connector ?? '', ip: question.ip ?? '' },
      },
      defaultsOf(config),
    )
  const asked: DataQuestion = { message, recipient, standing, snapshot, config, preview }
  if (isHeld && atRcpt.verdict === 'charge') return explainUnregistered(asked, meter)
  return headerFrom?.suspect ? explainRegistered(asked) : undefined
}

function step(about: Step['about'], finding: string): Step {
  return { about, finding }
}

function replyOf(judgement: Judgement): Reply | undefined {
  return 'reply' in judgement ? judgement.reply : undefined
}

function factsOf({ authUser, certificateName, ip }: Question): Facts {
  return {
    authUser,
    certificate:
      certificateName === undefined
        ? undefined
        : {
            names: [toDomain(certificateName) ?? certificateName],
            fingerprint256: '',
            verified: true,
          },
    ip: ip ?? '',
    note: undefined,
  }
}

/** Attribution as a session gets it, with the owner of a domain where it needs that. */
export async function attributeNow(
  facts: Facts,
  { directory, config }: Pick<Sources, 'directory' | 'config'>,
): Promise<Attribution> {
  const first = attribute(facts, directory, config.attribution)
  if (first.kind !== 'ask-owner') return first
  await directory.askOwner(first.domain)
  return attribute(facts, directory, config.attribution)
}

function preview(
  meter: Meter,
  { attributed: attribution, snapshot }: Whose,
  question: Question,
  { ledger, config }: Sources,
): Promise<ChargeResult> {
  const found = envelopeDomain(parseEnvelope(question.from))
  const domain = found.kind === 'domain' ? found.domain : undefined
  return ledger.preview(
    {
      tenant: attribution.tenant,
      meter,
      transaction: 'explain',
      ordinal: 1,
      domainsToken: snapshot.domainsToken,
      domain: domain ?? '',
      connector: attribution.connector ?? '',
      ip: question.ip ?? '',
    },
    defaultsOf(config),
  )
}
