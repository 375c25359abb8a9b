import type { Readable } from 'node:stream'
import type { Field } from 'mailauth/lib/tools'
import { within } from '../../base/deadline'
import { messageOf } from '../../base/errors'
import { Limiter } from '../../base/limiter'
import { readChain, sealedPass, type ArcChain } from './arc-chain'
import { tellingReason, type Finding, type Reason, type Refusal } from './finding'
import { fits } from './key'
import { KeyLookup } from './key-lookup'
import {
  BODIES_AT_ONCE,
  DNS_TIMEOUT,
  LOOKS_AT_ONCE,
  MAX_SIGNATURES,
  MAX_SIZE,
  MAX_WAITING,
  TIME_LIMIT,
  TURN_LIMIT,
} from './limits'
import { mailauth, mailauthProblem } from './mailauth'
import { openMessage, Unreadable } from './message'
import { readSignature, type Signature } from './signature'
import { covers, fieldsNaming, fromDomain, organisationsOf, ruledOut } from './rules'
import { verify, type Chosen } from './verify'

/** A message of an unregistered sender of a tenant. */
export interface ProofQuestion {
  /** Its id: tenants share fairly what a process can look at. */
  readonly tenant: string
  /** The octets of the message (RFC 5322), not dot-stuffed. Read as far as needed, and destroyed. */
  readonly message: Readable
  /** In octets; larger than it says it must not be. */
  readonly size: number
  /** As lower-case A-labels; `undefined`: there is none. */
  readonly envelopeDomain: string | undefined
  /** Whether a domain (as lower-case A-labels) is an accepted domain of the tenant. */
  readonly isAccepted: (domain: string) => boolean
  /** Domains whose seals are believed, as lower-case A-labels. A name below one is another sealer. */
  readonly arcSealers: readonly string[]
  /** Aborted when the client has left: questions, reading and the wait for a turn end at once. */
  readonly signal?: AbortSignal
}

/** Authentic mail of `domain`, which was addressed to the tenant; or so says the last sealer of its ARC chain. */
export interface Proof {
  readonly kind: 'dkim' | 'arc'
  /** Who signed or sealed, as lower-case A-labels. */
  readonly domain: string
  /**
   * SHA-256 (32 hexadecimal digits of it) over the octets of `b=` of every signature and seal that proves it, each once.
   * A count of what one signature proves counts with each: a copy without the other signatures is the same message.
   */
  readonly signatures: readonly string[]
}

export interface NoProof {
  readonly kind: 'none'
  readonly reason: Reason | Refusal
  /** What went wrong, for the log; with the reason `failed` only. */
  readonly detail?: string
}

export interface Examination {
  readonly result: Proof | NoProof
  /** DKIM signatures from the top down, then the ARC chain; empty for a message that was not looked at to the end. */
  readonly findings: readonly Finding[]
}

/** Of what is looked into: a signature or the chain, and why it proves nothing, as far as is known. */
interface Candidate {
  readonly signature: Signature | undefined
  reason: Reason | undefined
}

/** What the header and the keys say. */
interface Look {
  /** Reads the body, for what is left; `undefined`: nothing is. */
  readonly body: (() => Promise<void>) | undefined
  /** The result so far. */
  readonly findings: () => Finding[]
}

/** In ms; see `limits.ts`. */
export interface ProofLimits {
  readonly timeLimit?: number
  readonly dnsTimeout?: number
  readonly turnLimit?: number
}

const looks = new Limiter(LOOKS_AT_ONCE, MAX_WAITING)
const bodies = new Limiter(BODIES_AT_ONCE, MAX_WAITING)

/**
 * Whether a message of an unregistered sender is provably authentic mail that was addressed to the tenant, and is passed
 * on by it. Never rejects; takes half a minute at most (see `limits.ts`), whatever the message or DNS does; all that cannot
 * be told is no proof. With the reason `no turn` the message was not looked at, for want of room and not for what it is.
 */
export async function prove(question: ProofQuestion): Promise<Proof | NoProof> {
  return (await examine(question)).result
}

/** As {@link prove}, and what was found of each signature. */
export async function examine(
  question: ProofQuestion,
  { timeLimit = TIME_LIMIT, dnsTimeout = DNS_TIMEOUT, turnLimit = TURN_LIMIT }: ProofLimits = {},
): Promise<Examination> {
  const { tenant, message, signal } = question
  const keys = new KeyLookup(dnsTimeout)
  // Reading reports an error; one that comes later has no reader.
  message.on('error', () => {})
  const abandoned = rejectedBy(signal)
  let patience = turnLimit
  const inTurn = async <T>(limiter: Limiter, work: () => Promise<T>): Promise<T> => {
    const began = performance.now()
    const leave = await limiter.enter(tenant, patience, signal)
    if (!leave) throw new Unreadable('no turn')
    patience -= performance.now() - began
    try {
      return await Promise.race([inTime(timeLimit, work()), abandoned])
    } finally {
      leave()
    }
  }
  try {
    if (mailauthProblem()) throw new Unreadable('no mailauth')
    const { body, findings } = await inTurn(looks, () => look(question, keys))
    if (body) await inTurn(bodies, body)
    const found = findings()
    return { result: resultOf(found), findings: found }
  } catch (error) {
    return { result: noProof(error), findings: [] }
  } finally {
    keys.cancel()
    message.destroy()
  }
}

/** Never resolves. */
function rejectedBy(signal: AbortSignal | undefined): Promise<never> {
  const rejected = new Promise<never>((_resolve, reject) => {
    signal?.addEventListener('abort', () => reject(new Error('given up')), { once: true })
  })
  // Most often no other message waits for it.
  rejected.catch(() => {})
  return rejected
}

/** @throws {Unreadable} when the time is over, and what the work throws. */
async function inTime<T>(ms: number, work: Promise<T>): Promise<T> {
  let isOver = false
  const watched = work.finally(() => {
    isOver = true
  })
  try {
    return await within(ms, watched)
  } catch (error) {
    throw isOver ? error : new Unreadable('out of time')
  }
}

function noProof(error: unknown): NoProof {
  if (error instanceof Unreadable) return { kind: 'none', reason: error.reason }
  return { kind: 'none', reason: 'failed', detail: messageOf(error) }
}

function resultOf(findings: readonly Finding[]): Proof | NoProof {
  const proving = findings.filter(({ reason }) => reason === undefined)
  const [first] = proving
  if (first?.domain === undefined) return { kind: 'none', reason: tellingReason(findings) }
  const signatures = new Set(proving.flatMap(({ signature }) => signature ?? []))
  return { kind: first.kind, domain: first.domain, signatures: [...signatures] }
}

/** From cheap to dear: the header alone, then DNS for what is left, then the body for what is left after that. */
async function look(question: ProofQuestion, keys: KeyLookup): Promise<Look> {
  const { message, size, arcSealers } = question
  if (size > MAX_SIZE) throw new Unreadable('too large')
  const opened = await openMessage(message)
  const fields = mailauth().parseHeaders(opened.header).parsed
  const from = fromDomain(fields)
  const now = Date.now()

  const signed = fields.filter(({ key }) => key === 'dkim-signature')
  if (signed.length > MAX_SIGNATURES) throw new Unreadable('too many signatures')
  const organisations = organisationsOf(question.envelopeDomain, from)
  // Once for all signatures, and for none if nothing is aligned: to read addresses takes longest.
  let addressed: ReadonlySet<Field> | undefined
  const candidates = signed.map((field): Candidate => {
    const signature = readSignature(field, 'dkim-signature')
    if (!signature) return { signature, reason: 'malformed' }
    const reason =
      ruledOut(signature, organisations, now) ??
      (covers(signature, fields, (addressed ??= fieldsNaming(fields, question.isAccepted)))
        ? undefined
        : 'not addressed to the tenant')
    return { signature, reason }
  })
  const chain = readChain(fields)
  const seal = sealOf(chain, (whole) => sealedPass(whole, arcSealers, from, now))

  await Promise.all([
    ...candidates.map((candidate) => judgeKeys(candidate, [candidate.signature], keys)),
    seal && typeof chain === 'object'
      ? judgeKeys(seal, [...chain.seals, chain.message], keys)
      : undefined,
  ])

  const chosen: Chosen = {
    signatures: new Map(
      candidates.flatMap(({ signature, reason }, i) =>
        signature && reason === undefined ? [[i, signature] as const] : [],
      ),
    ),
    chain: typeof chain === 'object' && seal?.reason === undefined ? chain : undefined,
  }
  const body = async (): Promise<void> => {
    const verified = await verify(opened, chosen, keys.known)
    candidates.forEach((candidate, i) => (candidate.reason ??= verified.signatures.get(i)))
    if (seal) seal.reason ??= verified.chain
  }
  return {
    body: chosen.signatures.size > 0 || chosen.chain ? body : undefined,
    findings: () => [
      ...candidates.map((each) => findingOf('dkim', each)),
      ...(seal ? [findingOf('arc', seal)] : []),
    ],
  }
}

function sealOf(
  chain: ArcChain | Reason | undefined,
  judge: (chain: ArcChain) => Reason | undefined,
): Candidate | undefined {
  if (chain === undefined) return undefined
  if (typeof chain === 'string') return { signature: undefined, reason: chain }
  return { signature: chain.last, reason: judge(chain) }
}

/** Looks the keys up that a candidate needs, unless it is ruled out. */
async function judgeKeys(
  candidate: Candidate,
  signatures: readonly (Signature | undefined)[],
  keys: KeyLookup,
): Promise<void> {
  if (candidate.reason !== undefined) return
  const reasons = await Promise.all(
    signatures.map(async (signature): Promise<Reason | undefined> => {
      if (!signature) return 'malformed'
      const key = await keys.key(signature)
      if (typeof key === 'string') return key
      return fits(key, signature) ? undefined : 'unsuitable key'
    }),
  )
  candidate.reason = reasons.find((reason) => reason !== undefined)
}

function findingOf(kind: Finding['kind'], { signature, reason }: Candidate): Finding {
  return {
    kind,
    domain: signature?.domain,
    selector: signature?.selector,
    reason,
    signature: signature?.digest,
  }
}
