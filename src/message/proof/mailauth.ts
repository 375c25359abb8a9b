import type * as Arc from 'mailauth/lib/arc'
import type * as Verifier from 'mailauth/lib/dkim/dkim-verifier'
import type * as Parse from 'mailauth/lib/parse-dkim-headers'
import type * as Tools from 'mailauth/lib/tools'

/** The parts of mailauth that a proof takes. */
export interface Mailauth {
  readonly arc: typeof Arc.arc
  readonly DkimVerifier: typeof Verifier.DkimVerifier
  readonly parseTags: typeof Parse.default
  readonly parseHeaders: typeof Tools.parseHeaders
  readonly getSigningHeaderLines: typeof Tools.getSigningHeaderLines
}

/** Why forwards cannot be proven in this installation, and what to do. */
export interface MailauthProblem {
  readonly message: string
  readonly advice: string
}

/** The version that `peerDependencies` asks for: a later one with the same major number is good too. */
export const NEEDED = [4, 13, 3] as const

let loaded: Mailauth | undefined

/** Loaded with the first message that needs it: it takes 0.2 s and 23 MB. @throws Error if it is not installed. */
export function mailauth(): Mailauth {
  return (loaded ??= load())
}

/**
 * Whether mailauth is missing: an optional peer dependency, which who turns forwards on installs. It is looked for where
 * this package is, and above: in node_modules of Haraka's directory. It is not loaded.
 */
export function mailauthProblem(): MailauthProblem | undefined {
  const version = loaded ? undefined : installedVersion()
  if (loaded || (version !== undefined && isSupported(version))) return undefined
  const found =
    version === undefined
      ? 'mailauth is not installed'
      : `mailauth ${version} is installed, not ${NEEDED.join('.')} or a later ${NEEDED[0]}`
  return {
    message: `${found}: no forward can be proven, and all of them count as unregistered mail`,
    advice: `in Haraka's directory, run: npm install mailauth@${NEEDED[0]}`,
  }
}

/** Others are not: 7.1.0 takes tags in quotes and `cv=PASS`, which the RFCs forbid, and so proves what is forged. */
export function isSupported(version: string): boolean {
  const [major, minor = 0, patch = 0] = version.split('.').map(Number)
  const [sameMajor, leastMinor, leastPatch] = NEEDED
  return (
    major === sameMajor && (minor > leastMinor || (minor === leastMinor && patch >= leastPatch))
  )
}

/* eslint-disable @typescript-eslint/no-require-imports */
function installedVersion(): string | undefined {
  try {
    return (require('mailauth/package.json') as { version: string }).version
  } catch {
    return undefined
  }
}

function load(): Mailauth {
  const { arc } = require('mailauth/lib/arc') as typeof Arc
  const { DkimVerifier } = require('mailauth/lib/dkim/dkim-verifier') as typeof Verifier
  const parseTags = require('mailauth/lib/parse-dkim-headers') as typeof Parse.default
  const { parseHeaders, getSigningHeaderLines } = require('mailauth/lib/tools') as typeof Tools
  return { arc, DkimVerifier, parseTags, parseHeaders, getSigningHeaderLines }
}
