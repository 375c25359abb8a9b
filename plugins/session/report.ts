import type { ChargeResult, WindowCount } from '../../src/allowance/charge-answer'
import type { MessageResult } from '../../src/allowance/ledger'
import type { Proof } from '../../src/message/proof/prove'
import { formatWindow } from '../../src/mail/limits'
import { clean } from '../../src/base/safe-text'
import type { Connection, Plugin } from '../kit/haraka'
import { asText, InfoLevel, LogOnce } from '../kit/log'
import type { SenderFacts } from './last-sender'
import type { Transaction } from './transaction'

/** Addresses without a tenant whose refusals are counted separately. */
const MOST_STRANGERS = 1000

type Values = Record<string, unknown>

/** What happened to mail that could not be decided. */
type Verdict = 'pass' | 'tempfail'

/** What refusals that are counted together have in common. */
interface Refusal {
  readonly tenant: string
  /**
   * `tenant/name`; empty for a tenant without a connector, since its stolen password may be used from any number of
   * addresses. Without a tenant: the address.
   */
  readonly connector: string
  readonly reason: string
}

interface Undecided {
  readonly facts: SenderFacts
  readonly reason: string
  readonly verdict: Verdict
}

/** A proof that the message is a forward, or why it counts as unregistered mail. */
export type MessageProof = Proof | { readonly kind: 'none'; readonly reason: string }

/** Recipients that were counted after their message had been accepted. */
interface Unseen {
  readonly tenant: string | undefined
  readonly connector: string | undefined
  readonly recipients: number
}

/** The order of plugins lets recipients pass this plugin unseen. */
const UNSEEN_HINT =
  'a plugin answers rcpt_ok before unregistered-domain, or adds recipients after it: see plugins in tenantctl doctor'

interface Mismatch {
  readonly facts: SenderFacts
  readonly from: string
}

/**
 * Writes to the results store and the log. Tokens and keys are stable: karma and dashboards read them. Registered mail
 * writes nothing.
 */
export class Report {
  /** By connector: there are as many as operators have registered. */
  private readonly refusals: LogOnce<Refusal>
  /** By address, where there is no tenant: anybody can use any number of addresses. */
  private readonly strangers: LogOnce<Refusal>
  private readonly undecidedMail: LogOnce<Undecided>
  private readonly mismatches: LogOnce<Mismatch>
  private readonly countedLate: LogOnce<Unseen>
  private readonly info: InfoLevel

  /** @param countUndecided counts what could not be decided, by the reason. */
  constructor(
    private readonly plugin: Plugin,
    private readonly countUndecided: (reason: string) => void = () => {},
  ) {
    this.info = new InfoLevel(plugin)
    const countRefusals = (refusal: Refusal, count: number, kind: string): void => {
      // `refused` logs the first one, with the connection.
      if (count === 0) return
      const connector = kind === '' ? 'other addresses' : refusal.connector
      plugin.lognotice('refused', { ...refusal, connector, count, seconds: 60 })
    }
    this.refusals = new LogOnce(countRefusals, Infinity)
    this.strangers = new LogOnce(countRefusals, MOST_STRANGERS)
    this.undecidedMail = new LogOnce(({ facts, ...undecided }, repeats) => {
      const more = repeats === 0 ? facts : { count: repeats, seconds: 60 }
      plugin.logerror('undecided', known({ ...more, ...undecided }))
    })
    this.countedLate = new LogOnce(({ recipients, ...who }, repeats) => {
      const what = repeats === 0 ? { recipients } : { count: repeats, seconds: 60 }
      plugin.logwarn('counted-late', known({ ...who, ...what, hint: UNSEEN_HINT }))
    })
    this.mismatches = new LogOnce(({ facts, from }, repeats) => {
      const { tenant, connector } = facts
      const counted = { tenant, connector, count: repeats, seconds: 60 }
      plugin.lognotice('header-from', known(repeats === 0 ? { ...facts, from } : counted))
    })
  }

  /** Not handled by this plugin; once a transaction. */
  skip(transaction: Transaction, reason: string): void {
    if (transaction.skip()) transaction.haraka.results.add(this.plugin, { skip: reason })
  }

  /** A RCPT command was charged. The script names each percentage of a limit that is reached once, over all processes. */
  charged(connection: Connection, transaction: Transaction, result: ChargeResult): void {
    // Once more for each recipient would say nothing new, and cost more than all the rest.
    if (transaction.markCharged()) this.addCharged(transaction)
    if (this.info.isLogged) this.logCharged(connection, transaction, result)
    this.edges(connection, transaction, result)
  }

  private addCharged({ facts, haraka }: Transaction): void {
    const { tenant, connector, domain } = facts
    // Without `human` Haraka would format all results of this plugin (haraka-results, _log).
    const result = { pass: 'allowance', tenant, connector, domain, human: 'allowance' }
    haraka.results.add(this.plugin, result)
  }

  private logCharged(
    connection: Connection,
    { facts, haraka, sender }: Transaction,
    { used, limit }: ChargeResult,
  ): void {
    const { tenant, connector, domain } = facts
    if (this.info.isText) {
      // What Haraka makes of the object below, for 12,000 of its 42,000 instructions less.
      const who =
        asText('tenant', tenant) + asText('connector', connector) + asText('domain', domain)
      const what = ` class=${sender.class} verdict=pass used=${used}/${limit}`
      this.plugin.loginfo(connection, `charged${who}${what} transaction=${haraka.uuid}`)
      return
    }
    const line = {
      tenant,
      connector,
      domain,
      class: sender.class,
      verdict: 'pass',
      used: `${used}/${limit}`,
      transaction: haraka.uuid,
    }
    this.plugin.loginfo(connection, 'charged', known(line))
  }

  /** In monitor, the first charge that would have restricted the tenant; and percentages of a limit that are reached. */
  private edges(connection: Connection, transaction: Transaction, result: ChargeResult): void {
    if (!result.firstWouldTrip && result.edges.length === 0) return
    const who = { ...transaction.facts, class: transaction.sender.class }
    if (result.firstWouldTrip) {
      this.plugin.logwarn(connection, 'would-trip', known({ ...who, ...inWords(result) }))
    }
    for (const edge of result.edges) {
      const crossing = { ...who, percent: edge.percent, ...inWords(edge) }
      this.plugin.logwarn(connection, 'allowance', known(crossing))
    }
  }

  /** All recipients of a message were charged at the end of DATA. */
  chargedMessage(
    connection: Connection,
    transaction: Transaction,
    recipients: number,
    result: MessageResult,
    proof: MessageProof,
  ): void {
    const { facts, haraka } = transaction
    const who = { ...facts, class: transaction.sender.class }
    haraka.results.add(this.plugin, { pass: 'allowance', ...who, human: 'allowance' })
    const line = {
      ...who,
      verdict: 'pass',
      recipients,
      used: `${result.used}/${result.limit}`,
      proof: proofInWords(proof, result),
      transaction: haraka.uuid,
    }
    this.plugin.loginfo(connection, 'charged', known(line))
    this.edges(connection, transaction, result)
  }

  /** This mail restricted its tenant. */
  tripped(
    connection: Connection,
    { facts, haraka }: Transaction,
    result: ChargeResult,
    ip: string,
  ): void {
    const { results, uuid: transaction } = haraka
    results.add(this.plugin, { fail: 'tripped', ...facts })
    const line = { ...facts, ip, ...inWords(result), case: result.case || undefined, transaction }
    this.plugin.logwarn(connection, 'tripped', known(line))
  }

  /** Refused or deferred. For each connector the log has the first refusal, then a count a minute. */
  refused(connection: Connection, { facts, haraka }: Transaction, token: string): void {
    haraka.results.add(this.plugin, { fail: token, ...facts })
    const { ip } = connection.remote
    const { tenant = '', connector = tenant === '' ? ip : '' } = facts
    const log = tenant === '' ? this.strangers : this.refusals
    if (log.say(`${tenant}\t${connector}\t${token}`, { tenant, connector, reason: token })) {
      this.plugin.lognotice(connection, 'refused', known({ ...facts, ip, reason: token }))
    }
  }

  /**
   * The header From of registered mail names another domain. For each connector the log has the first message, then a
   * count a minute.
   *
   * @param domain named in From; empty: none.
   */
  headerFrom({ facts, haraka }: Transaction, domain: string): void {
    const from = domain === '' ? '(none)' : domain
    haraka.results.add(this.plugin, { fail: 'header-from', ...facts, from })
    this.mismatches.say(facts.connector ?? facts.tenant ?? '', { facts, from })
  }

  /**
   * Recipients that this plugin's rcpt_ok has not seen. For each tenant the log has the first message, then a count a
   * minute.
   */
  unseen({ facts: { tenant, connector }, unseen: recipients }: Transaction): void {
    this.countedLate.say(tenant ?? '', { tenant, connector, recipients })
  }

  /**
   * A recipient or a whole transaction could not be decided. For each reason the log has the first, then a count a minute.
   */
  undecided({ facts, haraka }: Transaction, token: string, verdict: Verdict): void {
    // The token may be an error message.
    const reason = clean(token)
    this.countUndecided(reason)
    const { results } = haraka
    const { name } = this.plugin
    // As add() does with `err`, without its error line for each recipient in the log (haraka-results, _log).
    results.add(this.plugin, { ...facts, verdict, human: reason })
    results.redis_publish(name, { err: reason })
    const kept = results.get(name)?.['err']
    if (Array.isArray(kept)) kept.push(reason)
    this.undecidedMail.say(`${verdict} ${reason}`, { facts, reason, verdict })
  }
}

/** Removes unknown values: Haraka would log `connector=undefined`. The results store leaves them out by itself. */
function known(values: Values): Values {
  for (const key in values) if (values[key] === undefined) delete values[key]
  return values
}

/** The proof that counted a message as a forward, or why it is none. */
function proofInWords(proof: MessageProof, { exhausted }: MessageResult): string {
  if (proof.kind === 'none') return clean(`none: ${proof.reason}`)
  return clean(exhausted ? 'none: signature used up' : `${proof.kind} ${proof.domain}`)
}

function inWords({ used, limit, window }: WindowCount): Values {
  return { used, limit, window: formatWindow(window) }
}
