// The parts of mailauth that only tests use.

declare module 'mailauth/lib/dkim/verify' {
  import type { Readable } from 'node:stream'
  import type { SignatureResult, VerifierOptions } from 'mailauth/lib/dkim/dkim-verifier'
  import type { ArcData } from 'mailauth/lib/arc'

  export function dkimVerify(
    message: Readable,
    options: VerifierOptions,
  ): Promise<{ readonly results: readonly SignatureResult[]; readonly arc: ArcData }>
}

declare module 'mailauth/lib/dkim/body' {
  export function dkimBody(
    canonicalization: string,
    algorithm: string,
    maxLength?: number,
  ): { update(chunk: Buffer): void; digest(encoding: 'base64'): string }
}

declare module 'mailauth/lib/dkim/header' {
  import type { Field } from 'mailauth/lib/tools'
  export function generateCanonicalizedHeader(
    type: 'DKIM',
    lines: { readonly keys: string; readonly headers: readonly Field[] },
    options: { readonly signatureHeaderLine: Buffer; readonly canonicalization: string },
  ): { readonly canonicalizedHeader: Buffer }
}
