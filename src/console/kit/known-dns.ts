import { RefusedError } from '../../base/errors'
import { Limiter } from '../../base/limiter'
import { LruCache } from '../../base/lru-cache'
import { Lookup } from '../../dns/lookup'
import type { DnsFacts } from '../../suggest/dns-facts'
import { readFacts } from '../../suggest/read-facts'
import type { AskDns } from '../../suggest/suggest'

/** How long an answer is shown, in ms. */
const KEPT = 10 * 60_000
const MOST_KEPT = 1000
/** Presses whose questions are asked at the same time; and how long the others wait, in ms. */
const AT_ONCE = 2
const PATIENCE = 15_000
const MOST_WAITING = 20

/** What DNS said about a domain, and when: ms since the epoch. */
interface Said {
  readonly at: number
  readonly facts: DnsFacts
}

const known = new LruCache<Said>(MOST_KEPT)
const places = new Limiter(AT_ONCE, MOST_WAITING)

/**
 * What DNS said when a person last asked about a domain; nothing is asked.
 *
 * @param server as `[console] dns`: another resolver may say otherwise.
 */
export function saidByDns(server: string | undefined, domain: string): Said | undefined {
  const said = known.get(`${server} ${domain}`)
  return said && Date.now() - said.at < KEPT ? said : undefined
}

/** The same for a ranking. */
export function dnsSaid(server: string | undefined): AskDns {
  return (domain) => Promise.resolve(saidByDns(server, domain)?.facts)
}

/**
 * Lets something ask DNS about domains, and keeps the answers: only ever because a person pressed a button, since those who
 * run the name servers of a domain see the questions.
 *
 * @throws {RefusedError} DNS gives no answer, or others ask too much at this moment.
 */
export async function askingDns<T>(
  server: string | undefined,
  domain: string,
  use: (ask: AskDns) => Promise<T>,
): Promise<T> {
  const leave = await places.enter(domain, PATIENCE)
  if (!leave) throw new RefusedError('DNS is being asked about other domains: try again soon')
  try {
    const lookup = new Lookup(server)
    const result = await use(async (each) => {
      const said = saidByDns(server, each)
      if (said) return said.facts
      const facts = await readFacts(each, lookup)
      const isSilent = [facts.mx, facts.address, facts.spf].every((fact) => fact === undefined)
      if (!isSilent) known.set(`${server} ${each}`, { at: Date.now(), facts })
      return facts
    })
    if (!saidByDns(server, domain)) throw new RefusedError(`DNS gave no answer about ${domain}`)
    return result
  } finally {
    leave()
  }
}
