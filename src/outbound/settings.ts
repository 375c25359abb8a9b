import { isIP } from 'node:net'
import { InputError } from '../base/errors'
import { host, section, site, turnedOn } from '../config/section'
import { orEmpty } from '../config/values'
import { typedDomain } from '../names/typed-domain'

/** `[egress]`: the address from which unregistered mail leaves; empty: as all mail. */
export const EGRESS = section('egress', {
  /** An address of this host. */
  bind: host(orEmpty(ipAddress), ''),
  /** The name for EHLO. */
  helo: host(orEmpty(typedDomain), ''),
})

export const TAG = section('tag', {
  /** Name of the header that tells the next hop; empty: none. */
  header: host(orEmpty(ownHeaderName), '', { needsRestart: turnedOn((name) => name !== '') }),
})

/** Characters. */
const LEAST_SECRET = 16
const MAKE_SECRET = 'make one with: openssl rand -base64 24'

export const SRS = section(
  'srs',
  {
    /** Empty: off. */
    domain: site(orEmpty(typedDomain), '', { needsRestart: turnedOn((domain) => domain !== '') }),
    /** The first one signs, and each is valid. At least one where there is a domain. */
    secrets: site(secretsIn, '', {
      name: 'secret',
      secret: 'value',
      inFile: (_file, content) => words(content),
    }),
  },
  {
    // Anybody who guesses the secret can create SRS addresses that this server accepts.
    *contradictions({ domain, secrets }) {
      if (domain === '') return
      const keys = ['secret', 'secret_file', 'domain']
      const short = secrets.find((secret) => secret.length < LEAST_SECRET)
      if (secrets.length === 0)
        yield { keys, message: `secret: empty, but domain is set: ${MAKE_SECRET}` }
      else if (short !== undefined)
        yield {
          keys,
          message: `secret: a secret of ${short.length} characters can be guessed: ${MAKE_SECRET}`,
        }
    },
  },
)

function secretsIn(value: unknown): string[] {
  if (typeof value === 'string') return words(value)
  throw new InputError(`a secret of digits only is read as a number: ${MAKE_SECRET}`)
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '')
}

function ipAddress(address: string): string {
  if (isIP(address) !== 0) return address
  throw new InputError(`"${address}" is no IP address`)
}

/** The name of a header field (RFC 5322 §2.2) that begins with `X-`. */
function ownHeaderName(name: string): string {
  if (/^X-[!-9;-~]{1,70}$/i.test(name)) return name
  throw new InputError(
    `"${name}" is no header name of our own: write X- and letters, digits or hyphens, without a colon`,
  )
}
