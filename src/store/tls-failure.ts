/** What Node and OpenSSL say of a TLS connection that did not come about, and what to do. */
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
    'Redis wants a client certificate: name it in tls_cert, and its key in tls_key',
  ],
  [
    /alert unknown ca/,
    'Redis does not know the authority of the certificate in tls_cert: see its tls-ca-cert-file',
  ],
  [/alert certificate expired/, 'the certificate in tls_cert has expired: renew it'],
  [
    /alert (bad|unsupported|revoked|unknown) certificate|alert certificate (revoked|unknown)/,
    'Redis does not take the certificate in tls_cert: is it one for a client?',
  ],
  [
    /wrong version number|packet length too long/,
    'Redis does not speak TLS on that port: set tls=false, or name its tls-port',
  ],
  // By TLS 1.3 a refused certificate may leave no other word.
  [
    /\bECONNRESET$/,
    'Redis closed the connection; where that goes on, it may want another client certificate (tls_cert)',
  ],
  // All that ioredis tells of a sentinel, or of the first node of a Cluster.
  [
    /Connection is closed\.$/,
    'no connection: it is not there, or TLS with it fails (tls_ca, tls_cert, and the name in its certificate)',
  ],
]

/**
 * Why TLS to Redis failed, in words for people; `undefined` where it is something else. What the other side has
 * written into its certificate is not repeated.
 */
export function tlsFailure(message: string): string | undefined {
  return WORDS.find(([pattern]) => pattern.test(message))?.[1]
}
