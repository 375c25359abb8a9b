/**
 * Why a TLS connection failed, by the text of OpenSSL: ioredis has only the text of the error of a sentinel, and Node gives
 * an alert of the other side the code EPROTO or none.
 */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [
    /self-signed certificate|unable to (get|verify).*(issuer|first) certificate/,
    'the certificate of Redis comes from an authority that is not trusted: name that authority in tls_ca',
  ],
  [/certificate has expired/, 'the certificate of Redis has expired: renew it'],
  [/certificate is not yet valid/, 'the certificate of Redis is not valid yet: compare the clocks'],
  [
    /does not match certificate's altnames/,
    'the certificate of Redis is for another name: connect to Redis by the name or address that its certificate is for',
  ],
  [
    /alert (certificate required|handshake failure)/,
    'Redis requires a client certificate: name it in tls_cert, and its key in tls_key',
  ],
  [
    /alert unknown ca/,
    'Redis does not know the authority of the certificate in tls_cert: see its tls-ca-cert-file',
  ],
  [/alert certificate expired/, 'the certificate in tls_cert has expired: renew it'],
  [
    /alert (bad|unsupported|revoked|unknown) certificate|alert certificate (revoked|unknown)/,
    'Redis rejects the certificate in tls_cert: is it a certificate for a client?',
  ],
  [
    /wrong version number|packet length too long/,
    'Redis does not speak TLS on that port: set tls=false, or name its tls-port',
  ],
  // With TLS 1.3 a refused certificate may leave no other message.
  [
    /\bECONNRESET$/,
    'Redis closed the connection; if it does so each time, it may require another client certificate (tls_cert)',
  ],
  // ioredis has no other message for a sentinel, or for the first node of a Cluster.
  [
    /Connection is closed\.$/,
    'no connection: it is not there, or TLS with it fails (tls_ca, tls_cert, and the name in its certificate)',
  ],
]

/** Why TLS to Redis failed; `undefined`: it was not TLS. What the certificate of the other side says is not repeated. */
export function tlsFailure(message: string): string | undefined {
  return WORDS.find(([pattern]) => pattern.test(message))?.[1]
}
