import { isIP } from 'node:net'
import { InputError } from '../base/errors'
import { host, section, site, type SettingsOf } from '../config/section'
import { domain, text } from '../config/values'

/** `[egress]`: where unregistered mail leaves from; empty: as all mail. */
export const EGRESS = section({
  /** An address of this host. */
  bind: host(ipAddress, ''),
  /** The name for EHLO. */
  helo: host(domain, ''),
})
export type EgressSettings = SettingsOf<typeof EGRESS>

/** `[tag]` */
export const TAG = section({
  /** Name of the header that tells the next hop; empty: none. */
  header: host(ownHeaderName, '', {
    // The hooks that a header needs are registered when Haraka starts.
    needsRestart: (started, now) => started === '' && now !== '',
  }),
})
export type TagSettings = SettingsOf<typeof TAG>

/** Characters. */
const LEAST_SECRET = 16
const MAKE_SECRET = 'make one with: openssl rand -base64 24'

/** `[srs]` */
export const SRS = section(
  {
    /** Empty: off. */
    domain: site(domain, ''),
    /** The first one signs, and each is valid. At least one where there is a domain. */
    secrets: site(secretsIn, '', {
      name: 'secret',
      secret: 'value',
      inFile: (_file, content) => words(content),
    }),
  },
  {
    // With a secret that can be guessed, anybody could make an SRS address that we would unwrap.
    contradictions({ domain, secrets }) {
      const keys = ['secret', 'secret_file', 'domain']
      if (domain === '') return []
      if (secrets.length === 0) {
        return [{ keys, message: `secret: empty, but domain is set: ${MAKE_SECRET}` }]
      }
      const short = secrets.find((secret) => secret.length < LEAST_SECRET)
      if (short === undefined) return []
      return [
        {
          keys,
          message: `secret: a secret of ${short.length} characters is guessed: ${MAKE_SECRET}`,
        },
      ]
    },
  },
)
export type SrsSettings = SettingsOf<typeof SRS>

function secretsIn(value: unknown): string[] {
  if (typeof value === 'string') return words(value)
  throw new InputError(`a secret of digits only is read as a number: ${MAKE_SECRET}`)
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '')
}

/** An IPv4 or IPv6 address; an empty value is none. */
function ipAddress(value: unknown): string {
  const address = text(value)
  if (address !== '' && isIP(address) === 0) throw new InputError(`"${address}" is no IP address`)
  return address
}

/** The name of a header field (RFC 5322 §2.2) that begins with `X-`; an empty value is none. */
function ownHeaderName(value: unknown): string {
  const name = text(value)
  if (name === '' || /^X-[!-9;-~]{1,70}$/i.test(name)) return name
  throw new InputError(
    `"${name}" is no header name of our own: write X- and letters, digits or hyphens, without a colon`,
  )
}
