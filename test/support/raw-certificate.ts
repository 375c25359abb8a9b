import { generateKeyPairSync, sign, X509Certificate, type KeyObject } from 'node:crypto'
import type { Certificate } from './certificates'

/** A name in a SAN: its kind, and its bytes in the certificate. */
export type AltName = readonly ['dns' | 'email' | 'uri' | 'ip' | 'dirName', string | Buffer]

/** The content of a certificate, valid or not. */
export interface RawHolder {
  /** Common names of the subject, in order; none by default. */
  readonly commonNames?: readonly string[]
  /** Without it there is no SAN; it may be empty. */
  readonly san?: readonly AltName[]
  readonly ca?: boolean
  /** Default: from yesterday until tomorrow. */
  readonly from?: Date
  readonly to?: Date
  /** Extended key usage; none by default, which is any. */
  readonly usage?: 'clientAuth' | 'serverAuth'
  /** Key usage that allows signing certificates, and nothing else. */
  readonly onlySigns?: boolean
  /** An unknown critical extension. */
  readonly unknownCritical?: boolean
}

/** The signer. */
export interface Issuer {
  readonly name: Buffer
  readonly privateKey: KeyObject
}

/** A certificate, and its key as an issuer. */
export interface RawCertificate extends Certificate {
  readonly issuer: Issuer
}

const DAY = 86_400_000

const tlv = (tag: number, ...parts: Buffer[]): Buffer => {
  const content = Buffer.concat(parts)
  const { length } = content
  if (length < 128) return Buffer.concat([Buffer.from([tag, length]), content])
  const bytes = Buffer.from(length.toString(16).padStart(6, '0'), 'hex')
  return Buffer.concat([Buffer.from([tag, 0x83]), bytes, content])
}
const sequence = (...parts: Buffer[]): Buffer => tlv(0x30, ...parts)
const oid = (hex: string): Buffer => tlv(0x06, Buffer.from(hex, 'hex'))
const bits = (content: Buffer): Buffer => tlv(0x03, Buffer.from([0]), content)
const time = (date: Date): Buffer =>
  tlv(0x18, Buffer.from(date.toISOString().replace(/[-:T]|\.\d+/g, '')))

const TRUE = tlv(0x01, Buffer.from([0xff]))
const ECDSA_SHA256 = sequence(oid('2a8648ce3d040302'))
const USAGE = { serverAuth: '2b06010505070301', clientAuth: '2b06010505070302' } as const
const TAGS = { email: 0x81, dns: 0x82, dirName: 0xa4, uri: 0x86, ip: 0x87 } as const

/** A distinguished name of common names. */
function nameOf(commonNames: readonly string[]): Buffer {
  const set = (text: string) => tlv(0x31, sequence(oid('550403'), tlv(0x0c, Buffer.from(text))))
  return sequence(...commonNames.map(set))
}

function extension(id: string, critical: boolean, content: Buffer): Buffer {
  return sequence(oid(id), ...(critical ? [TRUE] : []), tlv(0x04, content))
}

function altName([kind, value]: AltName): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value
  return tlv(TAGS[kind], kind === 'dirName' ? nameOf([bytes.toString()]) : bytes)
}

function extensionsOf(holder: RawHolder): Buffer {
  const { ca = false, san, usage, onlySigns = false, unknownCritical = false } = holder
  const all = [extension('551d13', true, sequence(...(ca ? [TRUE] : [])))]
  if (san) all.push(extension('551d11', false, sequence(...san.map(altName))))
  if (usage) all.push(extension('551d25', false, sequence(oid(USAGE[usage]))))
  if (onlySigns) all.push(extension('551d0f', true, Buffer.from('03020204', 'hex')))
  if (unknownCritical) all.push(extension('2a0304', true, Buffer.from([5, 0])))
  return tlv(0xa3, sequence(...all))
}

let serial = 0

/**
 * Makes a certificate byte by byte (RFC 5280 §4.1), since openssl refuses to write most of what a hostile authority or
 * client could.
 *
 * @param by the signer; by default the certificate itself.
 */
export function rawCertificate(holder: RawHolder, by?: Issuer): RawCertificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const name = nameOf(holder.commonNames ?? [])
  const issuer = by ?? { name, privateKey }
  const { from = new Date(Date.now() - DAY), to = new Date(Date.now() + DAY) } = holder
  const signed = sequence(
    tlv(0xa0, tlv(0x02, Buffer.from([2]))),
    tlv(0x02, Buffer.from([1, ++serial])),
    ECDSA_SHA256,
    issuer.name,
    sequence(time(from), time(to)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    extensionsOf(holder),
  )
  const der = sequence(signed, ECDSA_SHA256, bits(sign('sha256', signed, issuer.privateKey)))
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  const cert = ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n')
  return {
    cert,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    fingerprint256: new X509Certificate(cert).fingerprint256,
    issuer: { name, privateKey },
  }
}
