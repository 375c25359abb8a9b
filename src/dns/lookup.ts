import { Resolver } from 'node:dns/promises'
import { Limiter } from '../base/limiter'
import { LruCache } from '../base/lru-cache'
import { toDomain } from '../names/domain'
import { dnsServer } from './server'

/** Each question is asked once; its timeout in ms. */
const TIMEOUT = 2000
/** Questions asked at the same time. */
const AT_ONCE = 8
/** Answers in the cache, and for how many ms. */
const CACHED = 5000
/** After this many questions without any answer, DNS is considered away. */
const AWAY_AFTER = AT_ONCE
/** No question is asked later than this, in ms: a name server may answer as slowly as its owner likes. */
const BUDGET = 30_000

type Kind = 'MX' | 'TXT' | 'A' | 'AAAA'

/** There is no such name, or no record of that kind. */
const NONE: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA'])
/** No answer at all. */
const SILENT: ReadonlySet<string> = new Set(['ETIMEOUT', 'ECONNREFUSED', 'ECANCELLED'])

/** Asks DNS, a few questions at a time, each once. */
export class Lookup {
  private readonly resolver = new Resolver({ timeout: TIMEOUT, tries: 1 })
  private readonly answers = new LruCache<Promise<readonly string[] | undefined>>(CACHED)
  private readonly limiter = new Limiter(AT_ONCE, Infinity)
  private answered = 0
  private unanswered = 0
  private skipped = 0
  private readonly until = performance.now() + BUDGET

  /** @param server `ADDRESS` or `ADDRESS:PORT`; `undefined`: the resolver of the system. @throws {InputError} */
  constructor(server?: string) {
    if (server !== undefined) this.resolver.setServers([dnsServer(server)])
  }

  /** DNS has not answered, and is asked no more questions. */
  get isAway(): boolean {
    return this.answered === 0 && this.unanswered >= AWAY_AFTER
  }

  /** Questions that got no answer, or were not asked. */
  get missing(): number {
    return this.unanswered + this.skipped
  }

  /** Hosts that accept the mail of a domain; none for a single dot (RFC 7505). `undefined`: no answer. */
  mx(domain: string): Promise<readonly string[] | undefined> {
    return this.ask('MX', domain, async () =>
      (await this.resolver.resolveMx(domain)).flatMap(({ exchange }) => toDomain(exchange) ?? []),
    )
  }

  /** TXT records, each with its strings joined. `undefined`: no answer. */
  txt(domain: string): Promise<readonly string[] | undefined> {
    return this.ask('TXT', domain, async () =>
      (await this.resolver.resolveTxt(domain)).map((strings) => strings.join('')),
    )
  }

  /** IPv4 and IPv6 addresses. `undefined`: none found, and one of the two questions got no answer. */
  async addresses(domain: string): Promise<readonly string[] | undefined> {
    const [four, six] = await Promise.all([
      this.ask('A', domain, () => this.resolver.resolve4(domain)),
      this.ask('AAAA', domain, () => this.resolver.resolve6(domain)),
    ])
    const found = [...(four ?? []), ...(six ?? [])]
    return found.length === 0 && !(four && six) ? undefined : found
  }

  private ask(
    kind: Kind,
    domain: string,
    question: () => Promise<readonly string[]>,
  ): Promise<readonly string[] | undefined> {
    const key = `${kind} ${domain}`
    const known = this.answers.get(key)
    if (known) return known
    const answer = this.inTurn(key, question)
    this.answers.set(key, answer)
    return answer
  }

  private async inTurn(
    key: string,
    question: () => Promise<readonly string[]>,
  ): Promise<readonly string[] | undefined> {
    const left = this.until - performance.now()
    const leave = left > 0 && !this.isAway ? await this.limiter.enter(key, left) : undefined
    try {
      // Earlier questions may have shown that DNS is away.
      if (leave && !this.isAway) return await this.answerTo(question)
      this.skipped++
      return undefined
    } finally {
      leave?.()
    }
  }

  private async answerTo(
    question: () => Promise<readonly string[]>,
  ): Promise<readonly string[] | undefined> {
    try {
      const answer = await question()
      this.answered++
      return answer
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException
      if (SILENT.has(code)) this.unanswered++
      else this.answered++
      return NONE.has(code) ? [] : undefined
    }
  }
}
