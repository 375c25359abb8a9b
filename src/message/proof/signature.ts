import { createHash } from 'node:crypto'
import type { Field } from 'mailauth/lib/tools'
import { toDomain } from '../../names/domain'
import { MAX_NAMES, MAX_SIGNATURE_FIELD } from './limits'
import { mailauth } from './mailauth'
import { colonList, parseTagList } from './tag-list'

export type FieldKind = 'dkim-signature' | 'arc-message-signature' | 'arc-seal'

/** A DKIM-Signature, ARC-Message-Signature or ARC-Seal field that can be verified as it stands. */
export interface Signature {
  readonly field: Field
  /** `i=` of ARC; 0 for DKIM. */
  readonly instance: number
  /** `d=`, as lower-case A-labels. */
  readonly domain: string
  readonly selector: string
  readonly algorithm: 'rsa' | 'ed25519' | 'weak'
  /** `h=`, in lower case; empty for a seal. */
  readonly names: readonly string[]
  readonly body: 'simple' | 'relaxed'
  /** `i=` of DKIM without the local part: `d=` or below it. */
  readonly agent: string
  /** `l=` is there. */
  readonly isLimited: boolean
  /** `x=`, in seconds since 1970; `undefined`: never. */
  readonly expires: number | undefined
  /** `cv=` of a seal. */
  readonly chain: string | undefined
  /**
   * SHA-256 over the octets of `b=`, in hexadecimal digits, half of them: of what was signed, not of how it is written, so
   * that white space or another spelling in Base64 makes no other one.
   */
  readonly digest: string
}

const SELECTOR = /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/i
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/
const CANONICALIZATION = /^(?:simple|relaxed)(?:\/(?<body>simple|relaxed))?$/
const SECONDS = /^\d{1,12}$/
/** RFC 8617 §4.2.1: from 1 to 50. */
export const INSTANCE = /^[1-9]\d?$/
const SPACE = /\s+/g
/** Hexadecimal digits of a digest. 128 bits: two signatures with the same digest cannot be found. */
const DIGITS = 32

/** What must be there (RFC 6376 §3.5, RFC 8617 §4.1.2 and §4.1.3). */
const REQUIRED: Readonly<Record<FieldKind, readonly string[]>> = {
  'dkim-signature': ['v', 'a', 'b', 'bh', 'd', 'h', 's'],
  // Without c= mailauth takes relaxed, RFC 6376 simple.
  'arc-message-signature': ['i', 'a', 'b', 'bh', 'c', 'd', 'h', 's'],
  'arc-seal': ['i', 'a', 'b', 'cv', 'd', 's'],
}

/**
 * Reads a field strictly. `undefined` if it breaks a rule of RFC 6376 §3.5 or RFC 8617 §4.1, or if mailauth, which is more
 * lenient, reads anything else in it: what is judged here must be what is verified there.
 */
export function readSignature(field: Field, kind: FieldKind): Signature | undefined {
  if (field.line.length > MAX_SIGNATURE_FIELD) return undefined
  const text = field.line.toString('latin1')
  const tags = parseTagList(text.slice(text.indexOf(':') + 1))
  if (!tags || REQUIRED[kind].some((name) => !tags.get(name))) return undefined
  if (!isReadAlike(field, tags)) return undefined
  const get = (name: string): string => tags.get(name) ?? ''
  const bare = (name: string): string => get(name).replace(SPACE, '')

  const domain = toDomain(get('d'))
  const agent = agentOf(tags.get('i'), kind, domain ?? '')
  const times = [tags.get('t'), tags.get('x')]
  const canonicalization = CANONICALIZATION.exec(
    kind === 'arc-seal' ? 'relaxed/relaxed' : tags.get('c') || 'simple/simple',
  )
  const names = kind === 'arc-seal' ? [] : colonList(get('h'))
  const isRight =
    domain !== undefined &&
    agent !== undefined &&
    canonicalization !== null &&
    SELECTOR.test(get('s')) &&
    BASE64.test(bare('b')) &&
    times.every((time) => time === undefined || SECONDS.test(time)) &&
    !(times[0] !== undefined && times[1] !== undefined && Number(times[1]) < Number(times[0])) &&
    (kind === 'dkim-signature' ? isDkim(tags) : INSTANCE.test(get('i'))) &&
    // RFC 8617 §4.1.3; mailauth takes them for something.
    (kind !== 'arc-seal' || !['h', 'bh', 'c', 'l'].some((name) => tags.has(name))) &&
    (kind === 'arc-seal' || (names.includes('from') && names.length <= MAX_NAMES)) &&
    // RFC 8617 §4.1.2
    !names.includes('arc-seal')
  if (!isRight) return undefined

  const value = bare('b')
  return {
    field,
    instance: kind === 'dkim-signature' ? 0 : Number(get('i')),
    domain,
    selector: get('s'),
    algorithm: algorithmOf(get('a')),
    names,
    body: canonicalization.groups?.['body'] === 'relaxed' ? 'relaxed' : 'simple',
    agent,
    isLimited: tags.has('l'),
    expires: tags.has('x') ? Number(get('x')) : undefined,
    chain: tags.get('cv'),
    digest: createHash('sha256')
      .update(Buffer.from(value, 'base64'))
      .digest('hex')
      .slice(0, DIGITS),
  }
}

function isDkim(tags: ReadonlyMap<string, string>): boolean {
  const methods = tags.get('q')
  return tags.get('v') === '1' && (methods === undefined || colonList(methods).includes('dns/txt'))
}

function algorithmOf(text: string): Signature['algorithm'] {
  if (text === 'rsa-sha256') return 'rsa'
  return text === 'ed25519-sha256' ? 'ed25519' : 'weak'
}

/** `undefined` if it is not in `d=`, as RFC 6376 §3.5 has it. ARC has an instance there. */
function agentOf(text: string | undefined, kind: FieldKind, domain: string): string | undefined {
  if (text === undefined || kind !== 'dkim-signature') return domain
  const agent = text.includes('@') ? toDomain(text.slice(text.lastIndexOf('@') + 1)) : undefined
  return agent === domain || agent?.endsWith(`.${domain}`) ? agent : undefined
}

function isReadAlike(field: Field, tags: ReadonlyMap<string, string>): boolean {
  const theirs = mailauth().parseTags(field.line).parsed
  const names = Object.keys(theirs).filter((name) => name !== 'header')
  return (
    names.length === tags.size &&
    names.every((name) => {
      const entry = theirs[name]
      const value = typeof entry === 'object' ? entry.value : undefined
      return String(value).replace(SPACE, '') === tags.get(name)?.replace(SPACE, '')
    })
  )
}
