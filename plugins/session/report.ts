import type { ChargeResult, WindowCount } from '../../src/allowance/charge-answer'
import type { SettlementResult } from '../../src/allowance/ledger'
import type { Proof } from '../../src/message/proof/prove'
import { formatWindow } from '../../src/mail/limits'
import { clean } from '../../src/base/safe-text'
import type { Connection, Plugin } from '../kit/haraka'
import { LogOnce } from '../kit/log'
import type { Transit, TransitFacts } from './transaction'

/** Addresses without a tenant whose refusals are counted separately. */
const MOST_STRANGERS = 1000

type Values = Record<string, unknown>

/** What was done with what could not be decided. */
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
  readonly facts: TransitFacts
  readonly reason: string
  readonly verdict: Verdict
}

/** Why a message counts as unregistered. */
export interface NotForwarded {
  readonly kind: 'none'
  readonly reason: string
}

/** Recipients that were counted when their message had been taken. */
interface Unseen {
  readonly tenant: string | undefined
  readonly connector: string | undefined
  readonly recipients: number
}

/** The order of plugins is what lets recipients go past us. */
const UNSEEN_HINT =
  'a plugin answers rcpt_ok before unregistered-domain, or adds recipients after it: see plugins in tenantctl doctor'

interface Mismatch {
  readonly facts: TransitFacts
  readonly from: string
}

/**
 * What we write into the results store and the log. Tokens and keys are stable: karma and dashboards read them.
 * Registered mail writes nothing.
 */
export class Report {
  /** By connector: there are as many as operators have registered. */
  private readonly refusals: LogOnce<Refusal>
  /** By address, where there is no tenant: anybody can use any number of addresses. */
  private readonly strangers: LogOnce<Refusal>
  private readonly undecidedOnes: LogOnce<Undecided>
  private readonly mismatches: LogOnce<Mismatch>
  private readonly unseenOnes: LogOnce<Unseen>

  constructor(private readonly plugin: Plugin) {
    const countRefusals = (refusal: Refusal, count: number, kind: string): void => {
      // `refused` logs the first one, with the connection.
      if (count === 0) return
      const connector = kind === '' ? 'other addresses' : refusal.connector
      plugin.lognotice('refused', { ...refusal, connector, count, seconds: 60 })
    }
    this.refusals = new LogOnce(countRefusals, Infinity)
    this.strangers = new LogOnce(countRefusals, MOST_STRANGERS)
    this.undecidedOnes = new LogOnce(({ facts, ...undecided }, repeats) => {
      const more = repeats === 0 ? facts : { count: repeats, seconds: 60 }
      plugin.logerror('undecided', known({ ...more, ...undecided }))
    })
    this.unseenOnes = new LogOnce(({ recipients, ...who }, repeats) => {
      const what = repeats === 0 ? { recipients } : { count: repeats, seconds: 60 }
      plugin.logwarn('counted-late', known({ ...who, ...what, hint: UNSEEN_HINT }))
    })
    this.mismatches = new LogOnce(({ facts, from }, repeats) => {
      const { tenant, connector } = facts
      const counted = { tenant, connector, count: repeats, seconds: 60 }
      plugin.lognotice('header-from', known(repeats === 0 ? { ...facts, from } : counted))
    })
  }

  /** None of our business; once a transaction. */
  skip(transit: Transit, reason: string): void {
    if (transit.skipped) return
    transit.skipped = true
    transit.transaction.results.add(this.plugin, { skip: reason })
  }

  /** Counted. The script says which percentages of a limit are reached: each once, over all processes. */
  charged(connection: Connection, transit: Transit, result: ChargeResult): void {
    const { results, uuid } = transit.transaction
    // Written for every recipient. To spread the facts into these objects would cost more than all the rest.
    const { tenant, connector, domain } = transit.facts
    const who = { tenant, connector, domain, class: transit.standing.class }
    results.add(this.plugin, {
      pass: 'allowance',
      tenant,
      connector,
      domain,
      // Or Haraka puts all that it holds of us into words, for each recipient (haraka-results, _log).
      human: 'allowance',
    })
    const line = {
      tenant,
      connector,
      domain,
      class: who.class,
      verdict: 'pass',
      used: `${result.used}/${result.limit}`,
      transaction: uuid,
    }
    this.plugin.loginfo(connection, 'charged', known(line))
    this.edges(connection, who, result)
  }

  /** The first would-be trip, and the percentages of a limit that are reached. */
  private edges(connection: Connection, who: Values, result: ChargeResult): void {
    if (result.firstWouldTrip) {
      this.plugin.logwarn(connection, 'would-trip', known({ ...who, ...inWords(result) }))
    }
    for (const window of result.windows) {
      if (window.reached === 0) continue
      const crossing = { ...who, percent: window.reached, ...inWords(window) }
      this.plugin.logwarn(connection, 'allowance', known(crossing))
    }
  }

  /** All recipients of a message that had been held are counted. */
  settled(
    connection: Connection,
    transit: Transit,
    recipients: number,
    result: SettlementResult,
    proof: Proof | NotForwarded,
  ): void {
    const { facts, transaction } = transit
    const who = { ...facts, class: transit.standing.class }
    transaction.results.add(this.plugin, { pass: 'allowance', ...who, human: 'allowance' })
    const line = {
      ...who,
      verdict: 'pass',
      recipients,
      used: `${result.used}/${result.limit}`,
      proof: proofInWords(proof, result),
      transaction: transaction.uuid,
    }
    this.plugin.loginfo(connection, 'charged', known(line))
    this.edges(connection, who, result)
  }

  /** Went past its allowance in this very moment. */
  tripped(connection: Connection, transit: Transit, result: ChargeResult, ip: string): void {
    const facts = transit.facts
    transit.transaction.results.add(this.plugin, { fail: 'tripped', ...facts })
    const { uuid: transaction } = transit.transaction
    const line = { ...facts, ip, ...inWords(result), case: result.case || undefined, transaction }
    this.plugin.logwarn(connection, 'tripped', known(line))
  }

  /** Refused or deferred. Of the refusals of one connector the log tells the first, then a count a minute. */
  refused(connection: Connection, transit: Transit, token: string): void {
    const facts = transit.facts
    transit.transaction.results.add(this.plugin, { fail: token, ...facts })
    const { ip } = connection.remote
    const { tenant = '', connector = tenant === '' ? ip : '' } = facts
    const log = tenant === '' ? this.strangers : this.refusals
    if (log.say(`${tenant}\t${connector}\t${token}`, { tenant, connector, reason: token })) {
      this.plugin.lognotice(connection, 'refused', known({ ...facts, ip, reason: token }))
    }
  }

  /**
   * Registered mail whose From does not fit. Of each connector the log tells the first, then a count a minute.
   *
   * @param domain what it names; empty: none.
   */
  headerFrom({ facts, transaction }: Transit, domain: string): void {
    const from = domain === '' ? '(none)' : domain
    transaction.results.add(this.plugin, { fail: 'header-from', ...facts, from })
    this.mismatches.say(facts.connector ?? facts.tenant ?? '', { facts, from })
  }

  /** Recipients that came past our rcpt_ok. Of each tenant the log tells the first message, then a count a minute. */
  unseen({ facts: { tenant, connector }, unseen: recipients }: Transit): void {
    this.unseenOnes.say(tenant ?? '', { tenant, connector, recipients })
  }

  /**
   * Could not be decided: a recipient, or a whole transaction. The log tells the first for a reason, then a count a
   * minute.
   */
  undecided(transit: Transit, token: string, verdict: Verdict): void {
    // It may be the message of an error.
    const reason = clean(token)
    const { facts } = transit
    const { results } = transit.transaction
    const { name } = this.plugin
    // As add() would do it with `err`, but for the log: there that makes an error line a recipient (haraka-results, _log).
    results.add(this.plugin, { ...facts, verdict, human: reason })
    results.redis_publish(name, { err: reason })
    const kept = results.get(name)?.['err']
    if (Array.isArray(kept)) kept.push(reason)
    this.undecidedOnes.say(`${verdict} ${reason}`, { facts, reason, verdict })
  }
}

/** Without what is not known: Haraka would log `connector=undefined`. The results store leaves it out by itself. */
function known(values: Values): Values {
  for (const key in values) if (values[key] === undefined) delete values[key]
  return values
}

/** What a message was counted by; it is a forward only where something proves it. */
function proofInWords(proof: Proof | NotForwarded, { exhausted }: SettlementResult): string {
  if (proof.kind === 'none') return clean(`none: ${proof.reason}`)
  return clean(exhausted ? 'none: signature used up' : `${proof.kind} ${proof.domain}`)
}

function inWords({ used, limit, window }: WindowCount): Values {
  return { used, limit, window: formatWindow(window) }
}
