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
    readonly delay: 908
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
declare module 'mailauth/lib/dkim/dkim-verifier' {
  import { Writable } from 'node:stream'
  import type { ArcData } from 'mailauth/lib/arc'
  import type { Fields } from 'mailauth/lib/tools'

  export interface VerifierOptions {
    /** As `dns.promises.resolve(name, 'TXT')`. */
    readonly resolver: (name: string, type: string) => Promise<string[][]>
    readonly minBitLength: number
    /** Envelope sender; read from Return-Path where there is none. */
    readonly sender?: string
  }
  export interface SignatureResult {
    readonly selector?: string
    readonly bodyHash?: string
    readonly bodyHashExpecting?: string
    readonly status: { readonly result: string; readonly comment?: string }
  }
  /** A field that is going to be verified. */
  export interface SignatureHeader {
    /** AS: a seal, of which nothing comes here. */
    readonly type: 'DKIM' | 'ARC' | 'AS'
    /** Which of `bodyHashes` is for it. */
    readonly bodyHashKey?: string
    /** It cannot be verified, and has no result. */
    readonly skip?: boolean
  }
  export class DkimVerifier extends Writable {
    constructor(options: VerifierOptions)
    /** Called with the header, before the body comes. */
    protected messageHeaders(headers: Fields): Promise<void>
    /** Where the fields are taken from that a signature covers. */
    protected headers: Fields
    /** DKIM-Signature fields from the top down, then those of the newest ARC set. */
    protected signatureHeaders: SignatureHeader[]
    protected bodyHashes: Map<string, unknown>
    readonly arc: ArcData
    /** In the order of `signatureHeaders`, those of type ARC left out; one that says so where there is none. */
    readonly results: readonly SignatureResult[]
  }
}

declare module 'mailauth/lib/arc' {
  import type { SignatureResult, VerifierOptions } from 'mailauth/lib/dkim/dkim-verifier'

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
    options: VerifierOptions,
  ): Promise<{
    readonly status: { readonly result: string; readonly comment?: string }
    /** Of the newest ARC-Message-Signature. */
    readonly signature?: SignatureResult | false
  }>
  export function sealMessage(
    message: Buffer,
    seal: {
      readonly signingDomain: string
      readonly selector: string
      readonly privateKey: string
      readonly authResults: string
      readonly cv: string
      readonly signTime: Date
      /** Names with colons between. */
      readonly headerList?: string
    },
  ): Promise<Buffer>
}

declare module 'mailauth/lib/parse-dkim-headers' {
  /** Tags by their names, and `header`, the name of the field. */
  const parse: (field: Buffer) => {
    readonly parsed: Readonly<Record<string, { readonly value?: unknown } | string>>
  }
  export default parse
}
