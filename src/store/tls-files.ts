import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { InputError } from '../base/errors'

/** PEM texts for TLS as a client. */
interface TlsFiles {
  readonly tlsCa: string | undefined
  readonly tlsCert: string | undefined
  readonly tlsKey: string | undefined
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g

/**
 * The PEM text of one certificate or several. Node takes a file without any for no authorities at all, silently.
 *
 * @param file stands before the reason.
 * @throws {InputError} which repeats nothing of the text.
 */
export function pemCertificates(file: string, text: string): string {
  const certificates = text.match(CERTIFICATE) ?? []
  if (certificates.length === 0) {
    throw new InputError(`${file} holds no certificate: it must begin with BEGIN CERTIFICATE (PEM)`)
  }
  certificates.forEach((certificate, at) => {
    if (!parsed(() => new X509Certificate(certificate))) {
      throw new InputError(`${file}: certificate ${at + 1} is damaged: copy the file again`)
    }
  })
  return text
}

/**
 * The PEM text of a private key.
 *
 * @param file stands before the reason.
 * @throws {InputError} which repeats nothing of the text.
 */
export function pemKey(file: string, text: string): string {
  if (/ENCRYPTED/.test(text)) {
    throw new InputError(
      `${file} is encrypted: nobody could type its passphrase when Haraka starts`,
    )
  }
  if (!parsed(() => createPrivateKey(text))) {
    throw new InputError(`${file} holds no private key (PEM)`)
  }
  return text
}

/** What does not fit together: keys, each with the reason. */
export function tlsContradictions(
  { tlsCa, tlsCert, tlsKey }: TlsFiles,
  tls: boolean,
): [key: string, reason: string][] {
  const given = [
    ...(tlsCa === undefined ? [] : ['tls_ca']),
    ...(tlsCert === undefined ? [] : ['tls_cert']),
    ...(tlsKey === undefined ? [] : ['tls_key']),
  ]
  if (!tls && given.length > 0)
    return given.map((key) => [key, 'set, but tls is false: set tls=true'])
  if (tlsCert !== undefined && tlsKey === undefined)
    return [['tls_cert', 'set, but tls_key is not']]
  if (tlsKey !== undefined && tlsCert === undefined)
    return [['tls_key', 'set, but tls_cert is not']]
  if (tlsCert === undefined || tlsKey === undefined) return []
  const fits = new X509Certificate(tlsCert).checkPrivateKey(createPrivateKey(tlsKey))
  return fits ? [] : [['tls_key', 'is not the key of the first certificate in tls_cert']]
}

/** OpenSSL's reason is not given: it helps nobody, and is not ours to vouch for. */
function parsed(parse: () => X509Certificate | KeyObject): boolean {
  try {
    parse()
    return true
  } catch {
    return false
  }
}
