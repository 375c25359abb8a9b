import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { SignatureResult, VerifierOptions } from 'mailauth/lib/dkim/dkim-verifier'
import type { Fields } from 'mailauth/lib/tools'
import type { ArcChain } from './arc-chain'
import type { Reason } from './finding'
import { mailauth } from './mailauth'
import type { OpenMessage } from './message'
import { RelaxedBody } from './relaxed'
import type { Signature } from './signature'

/** What is to be verified of a message. */
export interface Chosen {
  /** By the place among all DKIM-Signature fields, from the top down. */
  readonly signatures: ReadonlyMap<number, Signature>
  readonly chain: ArcChain | undefined
}

export interface Verified {
  /** What is wrong with a signature, by its place; `undefined`: nothing. */
  readonly signatures: ReadonlyMap<number, Reason | undefined>
  readonly chain: Reason | undefined
}

/** Where the key of a signature comes from, as mailauth asks for it. */
export type Resolver = VerifierOptions['resolver']

/** The end of the header, which openMessage() takes away. */
const END = Buffer.from('\r\n\r\n')

/**
 * Verifies these signatures and this chain over the body, which is read once, and no others.
 *
 * @throws what reading the body throws.
 */
export async function verify(
  { header, body }: OpenMessage,
  { signatures, chain }: Chosen,
  resolver: Resolver,
): Promise<Verified> {
  const runs = (['relaxed', 'simple'] as const).flatMap((kind) => {
    const places = [...signatures].filter(([, { body: own }]) => own === kind).map(([at]) => at)
    const withChain = chain?.message.body === kind
    return places.length === 0 && !withChain ? [] : new Run(places, withChain, kind, resolver)
  })
  if (runs.length === 0) return { signatures: new Map(), chain: undefined }
  try {
    for (const run of runs) await run.write(header, END)
    for await (const chunk of body) for (const run of runs) await run.body(chunk)
    for (const run of runs) await run.end()
  } finally {
    for (const run of runs) run.destroy()
  }
  const sealed = runs.find(({ withChain }) => withChain)
  return {
    signatures: new Map(runs.flatMap((run) => [...run.signatures()])),
    chain: chain && (await sealed?.chain(chain)),
  }
}

/** One reading of the message by mailauth, for all signatures whose body is canonicalized alike. */
class Run {
  readonly #input = new PassThrough()
  readonly #verifier: InstanceType<ReturnType<typeof verifierOf>>
  readonly #relaxed: RelaxedBody | undefined
  readonly #done: Promise<void>

  constructor(
    private readonly places: readonly number[],
    readonly withChain: boolean,
    kind: Signature['body'],
    private readonly resolver: Resolver,
  ) {
    if (kind === 'relaxed') this.#relaxed = new RelaxedBody()
    const Chosen = verifierOf(new Set(places), withChain)
    this.#verifier = new Chosen(optionsWith(resolver))
    this.#done = pipeline(this.#input, this.#verifier)
    // write() and end() report it; once reading has failed, it has no reader.
    this.#done.catch(() => {})
  }

  async write(...chunks: readonly Buffer[]): Promise<void> {
    for (const chunk of chunks) {
      if (this.#input.write(chunk)) continue
      await Promise.race([once(this.#input, 'drain'), this.#done])
    }
  }

  body(chunk: Buffer): Promise<void> {
    return this.write(this.#relaxed?.push(chunk) ?? chunk)
  }

  async end(): Promise<void> {
    this.#input.end(this.#relaxed?.end())
    await this.#done
  }

  destroy(): void {
    this.#input.destroy()
  }

  *signatures(): Generator<[number, Reason | undefined]> {
    for (const [i, at] of this.places.entries()) {
      const result = this.#verifier.results[i]
      yield [at, result?.status.result === 'pass' ? undefined : fault(result)]
    }
  }

  async chain({ last, resultsField }: ArcChain): Promise<Reason | undefined> {
    const { arc } = this.#verifier
    const { status, signature } = await mailauth().arc(arc, optionsWith(this.resolver))
    const set = arc.chain ? arc.chain.at(-1) : undefined
    const isSame =
      set?.['arc-seal'].original.equals(last.field.line) &&
      set['arc-authentication-results'].original.equals(resultsField.line)
    if (status.result === 'pass' && isSame) return undefined
    return signature && fault(signature) === 'body changed' ? 'body changed' : 'chain broken'
  }
}

function optionsWith(resolver: Resolver): VerifierOptions {
  // The sender is not asked for; without it mailauth would parse Return-Path. Keys have been judged by then.
  return { resolver, minBitLength: 1024, sender: '<>' }
}

function fault(result: SignatureResult | undefined): Reason {
  return result?.bodyHash !== result?.bodyHashExpecting ? 'body changed' : 'signature wrong'
}

/** What the chain of seals consists of. */
const SEALS: ReadonlySet<string | undefined> = new Set([
  'arc-seal',
  'arc-message-signature',
  'arc-authentication-results',
])

/**
 * mailauth's verifier, which gets to see the fields alone that it has to read: the chosen signatures, and the chain. It
 * would verify however many signatures there are, hash the body anew for each `l=`, and give results that do not say
 * which field they are for; and its parser takes minutes over a From of 200 KB, which is not needed here.
 */
function verifierOf(places: ReadonlySet<number>, withChain: boolean) {
  const { DkimVerifier } = mailauth()
  return class extends DkimVerifier {
    protected override async messageHeaders(headers: Fields): Promise<void> {
      let place = 0
      const read = headers.parsed.filter(({ key }) =>
        key === 'dkim-signature' ? places.has(place++) : withChain && SEALS.has(key),
      )
      await super.messageHeaders({ ...headers, parsed: read })
      // What is signed is taken from all of them.
      this.headers = headers
      // The seals are verified apart from it.
      this.signatureHeaders = this.signatureHeaders.filter(({ type }) => type !== 'AS')
      if (this.signatureHeaders.some(({ skip }) => skip))
        throw new Error('mailauth skips a signature')
      const used = new Set(this.signatureHeaders.map(({ bodyHashKey }) => bodyHashKey))
      this.bodyHashes = new Map([...this.bodyHashes].filter(([key]) => used.has(key)))
    }
  }
}
