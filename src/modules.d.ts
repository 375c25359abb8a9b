// The parts that we use of packages that bring no types.

declare module 'haraka-config' {
  export interface HarakaConfig {
    root_path: string
    overrides_path?: string
    get(name: string, onChange?: () => void): unknown
    get(
      name: string,
      type: 'list' | 'value' | 'ini' | 'data' | 'binary',
      onChange?: () => void,
    ): unknown
    module_config(defaults: string, overrides?: string): HarakaConfig
    stop_watching(name: string): void
  }
  const config: HarakaConfig
  export default config
}

declare module 'haraka-constants' {
  const constants: {
    readonly cont: 900
    readonly stop: 901
    readonly deny: 902
    readonly denysoft: 903
    readonly ok: 906
  }
  export default constants
}

declare module 'haraka-dsn' {
  export interface DSN {
    readonly code: number
    readonly reply: string
  }
  const dsn: {
    create(code: number, text: string, subject: number, detail: number): DSN
  }
  export default dsn
}

declare module 'mailauth/lib/tools' {
  /** A header field. */
  export interface Field {
    /** Its name in lower case; `undefined` for a line without one. */
    readonly key: string | undefined
    readonly casedKey: string | undefined
    /** All of it with its folding, without the last CRLF. */
    readonly line: Buffer
  }
  export interface Fields {
    readonly parsed: readonly Field[]
    readonly original: Buffer
  }
  export function parseHeaders(header: Buffer): Fields
  /** Fields that `h=` names, from the bottom up for each name (RFC 6376 §5.4.2). */
  export function getSigningHeaderLines(
    fields: readonly Field[],
    names: string,
    verify: true,
  ): { readonly keys: string; readonly headers: readonly Field[] }
}

// What mailauth's own declarations lack or have wrong.
declare module 'mailauth/lib/dkim/verify' {
  import type { Readable } from 'node:stream'
  import type { ArcData } from 'mailauth/lib/arc'

  /** As `dns.promises.resolve(name, 'TXT')`. */
  export type TxtResolver = (name: string, type: string) => Promise<string[][]>
  export interface VerifyOptions {
    readonly resolver: TxtResolver
    readonly minBitLength: number
  }
  export interface SignatureResult {
    readonly signingDomain?: string
    readonly selector?: string
    /** `b=`, without white space. */
    readonly signature?: string
    readonly bodyHash?: string
    readonly bodyHashExpecting?: string
    readonly status: { readonly result: string; readonly comment?: string }
  }
  export function dkimVerify(
    message: Readable,
    options: VerifyOptions,
  ): Promise<{
    /** In the order of the DKIM-Signature fields that can be read; others may follow. */
    readonly results: readonly SignatureResult[]
    readonly arc: ArcData
  }>
}

declare module 'mailauth/lib/arc' {
  import type { VerifyOptions } from 'mailauth/lib/dkim/verify'

  export interface ArcSet {
    readonly i: number
    readonly 'arc-seal': { readonly original: Buffer }
    readonly 'arc-authentication-results': { readonly original: Buffer }
  }
  export interface ArcData {
    /** `false`: there is none, or it is not whole. */
    readonly chain: readonly ArcSet[] | false
  }
  export function arc(
    data: ArcData,
    options: VerifyOptions,
  ): Promise<{ readonly status: { readonly result: string; readonly comment?: string } }>
  export function sealMessage(
    message: Buffer,
    seal: {
      readonly signingDomain: string
      readonly selector: string
      readonly privateKey: string
      readonly authResults: string
      readonly cv: string
      /** Names with colons between. */
      readonly headerList?: string
    },
  ): Promise<Buffer>
}
