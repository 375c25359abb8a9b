import { generateKeyPairSync, createHash, createPrivateKey, sign } from 'node:crypto'
import { dkimBody } from 'mailauth/lib/dkim/body'
import { generateCanonicalizedHeader } from 'mailauth/lib/dkim/header'
import { sealMessage as seal } from 'mailauth/lib/arc'
import { getSigningHeaderLines, parseHeaders } from 'mailauth/lib/tools'
import type { Zone } from './dns'

export type KeyType = 'rsa' | 'ed25519'

/** A signer: a domain, a selector and a key. */
export interface Signer {
  readonly domain: string
  readonly selector: string
  readonly type: KeyType
  /** PKCS#8, as PEM. */
  readonly privateKey: string
  /** The p= of the key record. */
  readonly publicKey: string
}

export interface SignerOptions {
  readonly domain: string
  readonly selector?: string
  readonly type?: KeyType
  /** Of an RSA key. */
  readonly bits?: number
}

const pairs = new Map<string, { privateKey: string; publicKey: string }>()

/** Creates a signer. Signers of one kind share a key: RSA keys are slow to make. */
export function signer({
  domain,
  selector = 's1',
  type = 'rsa',
  bits = 2048,
}: SignerOptions): Signer {
  const kind = `${type} ${bits}`
  let pair = pairs.get(kind)
  if (!pair) pairs.set(kind, (pair = type === 'rsa' ? rsaPair(bits) : ed25519Pair()))
  return { domain, selector, type, ...pair }
}

function rsaPair(modulusLength: number): { privateKey: string; publicKey: string } {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength,
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  return { privateKey, publicKey: publicKey.toString('base64') }
}

/** RFC 8463 §4: p= holds the 32 octets alone. */
function ed25519Pair(): { privateKey: string; publicKey: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519', {
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  return { privateKey, publicKey: publicKey.subarray(-32).toString('base64') }
}

/** The key records of signers, for TestDns.start(). `tags` replaces or adds tags: `{ t: 'y' }`. */
export function keyZones(
  signers: readonly Signer[],
  tags: Readonly<Record<string, string>> = {},
): Record<string, Zone> {
  return Object.fromEntries(
    signers.map(({ domain, selector, type, publicKey }) => [
      `${selector}._domainkey.${domain}`,
      { txt: [tagList({ v: 'DKIM1', k: type, ...tags, p: tags['p'] ?? publicKey })] },
    ]),
  )
}

export interface SignOptions extends SignerOptions {
  /** Names of the signed fields, each as often as it is signed. Default: from, to, cc, subject, date. */
  readonly headers?: readonly string[]
  /** `header/body`; default `relaxed/relaxed`. */
  readonly canonicalization?: string
  /** Replaces, adds or (undefined) leaves out tags of the signature: `{ l: '5', x: '1700000000' }`. */
  readonly tags?: Readonly<Record<string, string | undefined>>
}

/**
 * The message with a DKIM-Signature on top, valid or not, as requested.
 *
 * @param message with CRLF
 */
export function signMessage(message: string, options: SignOptions): string {
  const { headers = ['from', 'to', 'cc', 'subject', 'date'], tags = {} } = options
  const { domain, selector, type, privateKey } = signer(options)
  const canonicalization = options.canonicalization ?? 'relaxed/relaxed'
  const all: Record<string, string | undefined> = {
    v: '1',
    a: `${type}-sha256`,
    c: canonicalization,
    d: domain,
    s: selector,
    h: headers.join(':'),
    bh: tags['bh'] ?? bodyHash(message, canonicalization, tags['l']),
    ...tags,
  }
  const unsigned = `DKIM-Signature: ${tagList(all)}; b=`
  const text = canonicalHeader(message, all['h'] ?? '', unsigned, canonicalization)
  const key = createPrivateKey(privateKey)
  const octets =
    type === 'rsa'
      ? sign('sha256', text, key)
      : sign(null, createHash('sha256').update(text).digest(), key)
  return `${unsigned}${octets.toString('base64')}\r\n${message}`
}

function tagList(tags: Readonly<Record<string, string | undefined>>): string {
  return Object.entries(tags)
    .flatMap(([name, value]) => (value === undefined ? [] : `${name}=${value}`))
    .join('; ')
}

function bodyHash(message: string, canonicalization: string, length?: string): string {
  const hash = dkimBody(
    canonicalization,
    'sha256',
    length === undefined ? undefined : Number(length),
  )
  hash.update(Buffer.from(message.slice(message.indexOf('\r\n\r\n') + 4)))
  return hash.digest('base64')
}

function canonicalHeader(
  message: string,
  names: string,
  signature: string,
  canonicalization: string,
): Buffer {
  const { parsed } = parseHeaders(Buffer.from(message.slice(0, message.indexOf('\r\n\r\n'))))
  return generateCanonicalizedHeader('DKIM', getSigningHeaderLines(parsed, names, true), {
    signatureHeaderLine: Buffer.from(signature),
    canonicalization,
  }).canonicalizedHeader
}

export interface SealOptions extends SignerOptions {
  /** What follows the instance in ARC-Authentication-Results: `mx.example; dkim=pass header.d=bank.example`. */
  readonly results: string
  /** Default: `none` for the first set, `pass` for the others. */
  readonly cv?: string
  /** Names of the signed fields; default: those of mailauth. */
  readonly headers?: readonly string[]
}

/**
 * The message with one more ARC set on top, sealed by mailauth. RSA keys only.
 *
 * @param message with CRLF
 */
export async function sealMessage(message: string, options: SealOptions): Promise<string> {
  const { domain, selector, privateKey } = signer(options)
  const sets = message.match(/^ARC-Seal:/gm)?.length ?? 0
  const set = await seal(Buffer.from(message), {
    signingDomain: domain,
    selector,
    privateKey,
    authResults: options.results,
    cv: options.cv ?? (sets === 0 ? 'none' : 'pass'),
    // Otherwise mailauth reads the clock before and after it signs, and a second may pass in between.
    signTime: new Date(),
    ...(options.headers && { headerList: options.headers.join(':') }),
  })
  return set.toString() + message
}
