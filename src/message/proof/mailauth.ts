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

let loaded: Mailauth | undefined

/** Loaded with the first message that needs it: it takes 0.2 s and 23 MB, and most sites have no use for it. */
export function mailauth(): Mailauth {
  return (loaded ??= load())
}

/* eslint-disable @typescript-eslint/no-require-imports */
function load(): Mailauth {
  const { arc } = require('mailauth/lib/arc') as typeof Arc
  const { DkimVerifier } = require('mailauth/lib/dkim/dkim-verifier') as typeof Verifier
  const parseTags = require('mailauth/lib/parse-dkim-headers') as typeof Parse.default
  const { parseHeaders, getSigningHeaderLines } = require('mailauth/lib/tools') as typeof Tools
  return { arc, DkimVerifier, parseTags, parseHeaders, getSigningHeaderLines }
}
