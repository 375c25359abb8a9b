import { createRequire } from 'node:module'
import { isIPv6 } from 'node:net'
import type { Config } from '../../src/process/config'
import { within } from '../../src/base/deadline'
import { messageOf } from '../../src/base/errors'
import { bindFailure } from '../../src/base/host-address'
import { queuedNote } from '../../src/outbound/note'
import { CLASSES } from '../../src/mail/classes'
import type { HMail, Mx, NetUtils, Plugin } from '../kit/haraka'
import type { OutboundAnswer } from '../kit/guard'
import { LogOnce } from '../kit/log'

/** In ms; Haraka's resolver gives up after 25 s, and asks up to three times. */
const LOOKUP_DEADLINE = 90_000

/**
 * The egress pool: unregistered mail leaves from an address and with an EHLO name of its own.
 *
 * Runs as the last get_mx hook: where another plugin names the servers, for example by `queue.next_hop`, this hook does
 * not run, and the `bind` of those servers applies. For all other mail it answers with the servers that Haraka would
 * find, by Haraka's own library. What must bounce is left to Haraka.
 */
export class Egress {
  private readonly log: LogOnce
  private netUtils: NetUtils | undefined

  constructor(
    private readonly plugin: Plugin,
    private readonly config: () => Config,
  ) {
    this.log = new LogOnce((message) => plugin.lognotice(message))
  }

  getMx(hmail: HMail): OutboundAnswer | Promise<OutboundAnswer> {
    const { egress } = this.config()
    if (egress.bind === '' && egress.helo === '') return undefined
    const note = queuedNote(hmail.todo.notes)
    if (!note || !CLASSES[note.class].queue.pooled) return undefined
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
    // No such domain, or it accepts no mail (RFC 7505): Haraka finds the same and bounces.
    if (found.length === 0 || found.some(({ exchange }) => !exchange)) return undefined
    const addresses = await netUtils.resolve_mx_hosts(hmail.sort_mx(found))
    if (addresses.length === 0) return { defer: `no address of an MX of ${domain} was found` }
    const pooled = throughPool(addresses, egress)
    if (pooled) return { route: pooled }
    const family = isIPv6(egress.bind) ? 'IPv6' : 'IPv4'
    this.log.say(
      domain,
      `no MX of ${domain} has an ${family} address: its unregistered mail leaves from the default address, not from [egress] bind=${egress.bind}`,
    )
    return undefined
  }

  /** Logs an error where the host cannot use the address of the pool. */
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
 * The servers with local address and EHLO name: only those of the address family of `bind`, since mail to the others
 * would leave from the default address. `undefined`: there are none.
 */
export function throughPool(
  addresses: readonly Mx[],
  { bind, helo }: Config['egress'],
): Mx[] | undefined {
  // The library sets its default name; without a name Haraka sets its own.
  const named = { bind_helo: helo === '' ? undefined : helo }
  if (bind === '') return addresses.map((mx) => ({ ...mx, ...named }))
  const reachable = addresses.filter(({ exchange = '' }) => isIPv6(exchange) === isIPv6(bind))
  if (reachable.length === 0) return undefined
  return reachable.map((mx) => ({ ...mx, ...named, bind }))
}

/** As Haraka does: only ENOTFOUND is an answer, all other errors are failures (`outbound/hmail.js`, `get_mx_error`). */
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
 * The copy that Haraka itself uses, with its settings (`net-utils.ini`): it is found from the main program, which is
 * Haraka's. A dependency would be a second copy, and ten more packages.
 *
 * @throws Error where it is missing.
 */
function harakasNetUtils(): NetUtils {
  return createRequire(require.main?.filename ?? __filename)('haraka-net-utils') as NetUtils
}
