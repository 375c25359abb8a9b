import { createPublicKey, type KeyObject } from 'node:crypto'
import { LruCache } from '../../base/lru-cache'
import type { Reason } from './finding'
import { MAX_KEY_RECORD } from './limits'
import type { Signature } from './signature'
import { colonList, parseTagList } from './tag-list'

/** RFC 8301 §3.2: a shorter key proves nothing; up to 4096 bits must be taken, and longer ones cost more than they are worth. */
const LEAST_BITS = 1024
const MOST_BITS = 4096
/** Nearly all keys have 65537. OpenSSL takes any number for a short key, with which verifying takes as long as signing. */
const MOST_EXPONENT = 2n ** 32n + 1n

/** DER of an Ed25519 key (RFC 8410 §4) up to its 32 octets, which is all that a record holds (RFC 8463 §4). */
const ED25519_PREFIX = Buffer.from('302a300506032b6570032100', 'hex')

/** By kind and `p=`, 4 MB at most: OpenSSL takes 0.3 ms to read a key, and few domains send most mail. */
const soundness = new LruCache<boolean>(1000)

/** A public key that may verify signatures in mail. */
export interface Key {
  readonly type: 'rsa' | 'ed25519'
  /** `t=s`: `i=` must be of `d=` itself, not of a name below it. */
  readonly isStrict: boolean
  /** The record as mailauth gets it: only what was read here. */
  readonly record: string
}

/** Reads a key record (RFC 6376 §3.6.1, RFC 8301, RFC 8463), or says why no signature counts that it would verify. */
export function readKey(text: string): Key | Reason {
  const tags = text.length > MAX_KEY_RECORD ? undefined : parseTagList(text)
  if (!tags) return 'unsuitable key'
  const list = (name: string, otherwise: string): string[] => colonList(tags.get(name) ?? otherwise)
  const [first] = tags.keys()
  const type = tags.get('k') ?? 'rsa'
  const isForUs =
    // Where there is a version, it comes first.
    (!tags.has('v') || (first === 'v' && tags.get('v') === 'DKIM1')) &&
    list('h', 'sha256').includes('sha256') &&
    list('s', '*').some((service) => service === '*' || service === 'email')
  const octets = tags.get('p')?.replace(/\s+/g, '')
  if (!isForUs || !octets || (type !== 'rsa' && type !== 'ed25519')) return 'unsuitable key'
  if (list('t', '').includes('y')) return 'key in test mode'
  if (!isSound(octets, type)) return 'unsuitable key'
  return {
    type,
    isStrict: list('t', '').includes('s'),
    record: `v=DKIM1; k=${type}; p=${octets}`,
  }
}

/** Whether a signature may be verified with a key. */
export function fits(key: Key, { algorithm, agent, domain }: Signature): boolean {
  return key.type === algorithm && (!key.isStrict || agent === domain)
}

function isSound(octets: string, type: Key['type']): boolean {
  const id = `${type} ${octets}`
  let known = soundness.get(id)
  if (known === undefined) {
    known = readsAsSound(Buffer.from(octets, 'base64'), type)
    soundness.set(id, known)
  }
  return known
}

function readsAsSound(octets: Buffer, type: Key['type']): boolean {
  const der = type === 'rsa' ? octets : Buffer.concat([ED25519_PREFIX, octets])
  let key: KeyObject
  try {
    key = createPublicKey({ key: der, format: 'der', type: 'spki' })
  } catch {
    return false
  }
  if (key.asymmetricKeyType !== type) return false
  if (type === 'ed25519') return octets.length === 32
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {}
  return (
    modulusLength >= LEAST_BITS && modulusLength <= MOST_BITS && publicExponent <= MOST_EXPONENT
  )
}
