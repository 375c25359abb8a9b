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

/** The certificate of a client. */
export interface ShownCertificate extends CertificateFacts {
  /** When it expires, in ms since the epoch; 0: unknown. */
  readonly expires: number
}

/**
 * The client's certificate, and whether its chain leads to the configured CA; `undefined`: the client sent none.
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
 * (tls_socket.js, `upgrade`) never gets Node's `authorized`. So OpenSSL is asked: `verifyError()` of the socket's handle is
 * null for a valid chain, on resumed sessions too. On the SMTPS port Node does the same. A resumed TLS 1.3 session without
 * any certificate gives null as well, so the caller must have seen one.
 */
function isVerified(connection: Connection): boolean {
  const cleartext = (connection.client as MaybeTls | undefined)?.cleartext
  const handle = cleartext?._handle
  if (typeof handle?.verifyError === 'function') return handle.verifyError() === null
  return connection.tls.verified === true
}
