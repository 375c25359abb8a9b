import { createRequire } from 'node:module'
import { isIPv6 } from 'node:net'
import type { Config } from '../../src/process/config'
import { within } from '../../src/base/deadline'
import { messageOf } from '../../src/base/errors'
import { bindFailure } from '../../src/base/host-address'
import { queuedNote } from '../../src/outbound/note'
import type { SenderClass } from '../../src/decision/judge'
import type { HMail, Mx, NetUtils, Plugin } from '../kit/haraka'
import type { OutboundAnswer } from './outbound-guard'
import { Quiet } from '../kit/quiet'

/**
 * What leaves through the pool. Bounces do, as nothing tells a tenant's own from backscatter, and SPF judges them by the
 * name in EHLO anyhow. What nobody could classify does not: it may be registered mail, and the SPF record of a tenant
 * need not name the pool.
 */
const POOLED: ReadonlySet<SenderClass | null> = new Set(['unregistered', 'foreign', 'null'])

/** In ms; Haraka's resolver gives up after 25 s, and asks up to three times. */
const LOOKUP_DEADLINE = 90_000

/**
 * The egress pool: unregistered mail leaves from an address of its own, with a name of its own.
 *
 * Runs as the last get_mx hook: where another plugin names the servers, such as by `queue.next_hop`, ours is not asked,
 * and their `bind` counts. For all other mail it answers with the very servers that Haraka would find, by Haraka's own
 * library, and leaves to Haraka what is to be bounced.
 */
export class Egress {
  private readonly quiet: Quiet
  private netUtils: NetUtils | undefined

  constructor(
    private readonly plugin: Plugin,
    private readonly config: () => Config,
  ) {
    this.quiet = new Quiet((message) => plugin.lognotice(message))
  }

  getMx(hmail: HMail): OutboundAnswer | Promise<OutboundAnswer> {
    const { egress } = this.config()
    if (egress.bind === '' && egress.helo === '') return undefined
    const note = queuedNote(hmail.todo.notes)
    if (!note || !POOLED.has(note.class)) return undefined
    this.netUtils ??= harakasNetUtils()
    return within(LOOKUP_DEADLINE, this.route(this.netUtils, hmail, egress)).catch(
      (error: unknown) => ({
        defer: messageOf(error),
      }),
    )
  }

  private async route(
    netUtils: NetUtils,
    hmail: HMail,
    egress: Config['egress'],
  ): Promise<OutboundAnswer> {
    const { domain } = hmail.todo
    const found = await lookUp(netUtils, domain)
    // There is no such domain, or it takes no mail (RFC 7505): Haraka finds the same, and says so in its bounce.
    if (found.length === 0 || found.some(({ exchange }) => !exchange)) return undefined
    const addresses = await netUtils.resolve_mx_hosts(hmail.sort_mx(found))
    if (addresses.length === 0) return { defer: `no address of an MX of ${domain} was found` }
    const pooled = throughPool(addresses, egress)
    if (pooled) return { route: pooled }
    const family = isIPv6(egress.bind) ? 'IPv6' : 'IPv4'
    this.quiet.say(
      domain,
      `no MX of ${domain} has an ${family} address: its unregistered mail leaves from the default address, not from [egress] bind=${egress.bind}`,
    )
    return undefined
  }

  /** Says in the log where nothing can leave from the pool. */
  async check(): Promise<void> {
    const { bind } = this.config().egress
    const failure = bind === '' ? undefined : await bindFailure(bind)
    if (!failure) return
    this.plugin.logerror(
      `[egress] bind: ${bind} cannot be used on this host (${failure.message}): unregistered mail stays in the queue, and bounces in the end; give the address to the host, or empty bind`,
    )
  }
}

/**
 * The servers with local address and name. With both families only those of our own: else mail would leave from the
 * default address. `undefined`: there is none of them.
 */
export function throughPool(
  addresses: readonly Mx[],
  { bind, helo }: Config['egress'],
): Mx[] | undefined {
  // The library has put the default there already; without it Haraka puts its own.
  const named = { bind_helo: helo === '' ? undefined : helo }
  if (bind === '') return addresses.map((mx) => ({ ...mx, ...named }))
  const reachable = addresses.filter(({ exchange = '' }) => isIPv6(exchange) === isIPv6(bind))
  if (reachable.length === 0) return undefined
  return reachable.map((mx) => ({ ...mx, ...named, bind }))
}

/** As Haraka: that there is no such name is an answer, and all else is none (`outbound/hmail.js`, `get_mx_error`). */
async function lookUp(netUtils: NetUtils, domain: string): Promise<Mx[]> {
  try {
    return await netUtils.get_mx(domain)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOTFOUND') return []
    throw error
  }
}

/**
 * The copy that Haraka itself uses, with its settings (`net-utils.ini`): the program that runs is Haraka's. A dependency
 * would be another copy, and bring ten packages.
 *
 * @throws Error where it is not there.
 */
function harakasNetUtils(): NetUtils {
  return createRequire(require.main?.filename ?? __filename)('haraka-net-utils') as NetUtils
}
