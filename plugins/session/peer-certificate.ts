import type { PeerCertificate } from 'node:tls'
import { dnsNamesOf } from '../../src/names/certificate'
import type { CertificateFacts } from '../../src/directory/connector-index'
import type { Connection } from '../kit/haraka'

interface VerifyingHandle {
  verifyError?: () => { code?: string } | null
}

interface MaybeTls {
  readonly _handle?: VerifyingHandle | null
  readonly cleartext?: MaybeTls
}

/** A client's certificate. */
export interface ShownCertificate extends CertificateFacts {
  /** When it expires, in ms; 0: it does not say. */
  readonly expires: number
}

/**
 * What the client's certificate says, and whether its chain was checked against the configured CA; `undefined`: the
 * client showed none.
 */
export function peerCertificate(connection: Connection): ShownCertificate | undefined {
  const certificate = connection.tls.peerCertificate as Partial<PeerCertificate> | undefined
  const fingerprint256 = certificate?.fingerprint256
  if (!fingerprint256) return undefined
  return {
    names: dnsNamesOf(certificate.subjectaltname, certificate.subject?.CN),
    fingerprint256,
    verified: isVerified(connection),
    expires: Date.parse(certificate.valid_to ?? '') || 0,
  }
}

/**
 * Haraka's `connection.tls.verified` is always false after STARTTLS: the TLSSocket that it builds by hand
 * (tls_socket.js, `upgrade`) never gets Node's `authorized`. OpenSSL knows: `verifyError()` of the socket's handle is
 * null where the chain holds, on resumed sessions too. On the SMTPS port Node has done the same. A resumed TLS 1.3
 * session without any certificate would be null as well, so the caller must have seen one.
 */
function isVerified(connection: Connection): boolean {
  const cleartext = (connection.client as MaybeTls | undefined)?.cleartext
  const handle = cleartext?._handle
  if (typeof handle?.verifyError === 'function') return handle.verifyError() === null
  return connection.tls.verified === true
}
