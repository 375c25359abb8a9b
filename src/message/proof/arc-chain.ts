import type { Field } from 'mailauth/lib/tools'
import { saysPass } from './authentication-results'
import type { Reason } from './finding'
import { MAX_SEALS } from './limits'
import { INSTANCE, readSignature, type Signature } from './signature'
import { parseTagList } from './tag-list'

/** The sets of an ARC chain, well formed but not verified. */
export interface ArcChain {
  /** The newest ARC-Message-Signature, which alone has to hold for the message as it is now. */
  readonly message: Signature
  /** The oldest first. */
  readonly seals: readonly Signature[]
  readonly last: Signature
  /** The last ARC-Authentication-Results, and what is behind its instance. */
  readonly resultsField: Field
  readonly results: string
}

/** RFC 8617 §4.1.1: the instance comes first. */
const RESULTS = /^[^:]*:\s*i\s*=\s*([1-9]\d?)\s*;([^]*)$/

const KINDS = ['arc-seal', 'arc-message-signature', 'arc-authentication-results'] as const

/**
 * The chain in a header; `undefined` if there is none, and why it counts for nothing if it breaks a rule of RFC 8617 §4 and
 * §5.2: each set from 1 on is there once and whole, the first seal says `cv=none` and the others `cv=pass`.
 */
export function readChain(fields: readonly Field[]): ArcChain | Reason | undefined {
  const [seals, messages, results] = KINDS.map((kind) => fields.filter(({ key }) => key === kind))
  if (!seals || !messages || !results) return undefined
  const count = seals.length
  if (count + messages.length + results.length === 0) return undefined
  if (count > MAX_SEALS) return 'too many seals'
  if (messages.length !== count || results.length !== count) return 'malformed'

  const sealed = inOrder(seals.map((field) => readSignature(field, 'arc-seal')))
  const signed = inOrder(messages.map(numbered))
  const found = results.map((field) => {
    const [, instance, text = ''] = RESULTS.exec(field.line.toString('utf8')) ?? []
    return instance === undefined ? undefined : { instance: Number(instance), field, text }
  })
  const last = sealed?.at(-1)
  const newest = signed?.at(-1)
  const message = newest && readSignature(newest.field, 'arc-message-signature')
  const ordered = inOrder(found)?.at(-1)
  if (!sealed || !last || !message || !ordered) return 'malformed'
  if (sealed.some(({ chain, instance }) => chain !== (instance === 1 ? 'none' : 'pass'))) {
    return 'malformed'
  }
  return { message, seals: sealed, last, resultsField: ordered.field, results: ordered.text }
}

/** What is left to verify of a chain: nothing if its last sealer is not trusted or found no pass. */
export function sealedPass(
  { message, seals, last, results }: ArcChain,
  sealers: readonly string[],
  from: string | undefined,
  now: number,
): Reason | undefined {
  if (!sealers.includes(last.domain)) return 'sealer not trusted'
  if (seals.some(({ algorithm }) => algorithm === 'weak') || message.algorithm === 'weak') {
    return 'weak algorithm'
  }
  if (message.isLimited) return 'body length limited'
  if (message.expires !== undefined && message.expires * 1000 < now) return 'expired'
  return from !== undefined && saysPass(results, from) ? undefined : 'no pass sealed'
}

/** Older ones do not have to hold any more, so all that counts of them is where they belong. */
function numbered(field: Field): { instance: number; field: Field } | undefined {
  const text = field.line.toString('latin1')
  const instance = parseTagList(text.slice(text.indexOf(':') + 1))?.get('i') ?? ''
  return INSTANCE.test(instance) ? { instance: Number(instance), field } : undefined
}

/** Sorted, if they are numbered from 1 on without a gap. */
function inOrder<T extends { readonly instance: number }>(
  items: readonly (T | undefined)[],
): T[] | undefined {
  const whole = items.filter((item) => item !== undefined)
  if (whole.length < items.length) return undefined
  const sorted = whole.toSorted((a, b) => a.instance - b.instance)
  return sorted.every(({ instance }, i) => instance === i + 1) ? sorted : undefined
}
