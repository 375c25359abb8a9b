import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { InputError } from '../base/errors'
import type { Contradiction } from '../config/section'

/** TLS as a client, with PEM texts. */
interface TlsSettings {
  readonly tls: boolean
  readonly tlsCa: string | undefined
  readonly tlsCert: string | undefined
  readonly tlsKey: string | undefined
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g

/**
 * The PEM text of one certificate or several. Node takes a file without any for no authorities at all, silently.
 *
 * @param file precedes the reason.
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
 * @param file precedes the reason.
 * @throws {InputError} which repeats nothing of the text.
 */
export function pemKey(file: string, text: string): string {
  if (/ENCRYPTED/.test(text)) {
    throw new InputError(`${file} is encrypted: its passphrase cannot be typed when Haraka starts`)
  }
  if (!parsed(() => createPrivateKey(text))) {
    throw new InputError(`${file} holds no private key (PEM)`)
  }
  return text
}

export function* tlsContradictions({
  tls,
  tlsCa,
  tlsCert,
  tlsKey,
}: TlsSettings): Iterable<Contradiction> {
  const wrong = (key: string, reason: string): Contradiction => ({
    keys: [key, 'tls', 'tls_ca', 'tls_cert', 'tls_key'],
    message: `${key}: ${reason}`,
  })
  if (!tls) {
    const given = Object.entries({ tls_ca: tlsCa, tls_cert: tlsCert, tls_key: tlsKey })
    for (const [key, content] of given) {
      if (content !== undefined) yield wrong(key, 'set, but tls is false: set tls=true')
    }
  } else if (tlsCert !== undefined && tlsKey !== undefined) {
    const fits = new X509Certificate(tlsCert).checkPrivateKey(createPrivateKey(tlsKey))
    if (!fits) yield wrong('tls_key', 'is not the key of the first certificate in tls_cert')
  } else if (tlsCert !== undefined) yield wrong('tls_cert', 'set, but tls_key is not')
  else if (tlsKey !== undefined) yield wrong('tls_key', 'set, but tls_cert is not')
}

/** Without OpenSSL's reason, which tells an operator nothing. */
function parsed(parse: () => X509Certificate | KeyObject): boolean {
  try {
    parse()
    return true
  } catch {
    return false
  }
}
