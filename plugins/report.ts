import type { ChargeResult, WindowCount } from '../src/allowance/charge-answer'
import { formatWindow } from '../src/allowance/limits'
import { RefusalLog } from '../src/relay/refusal-log'
import type { Connection, Plugin } from './haraka'
import type { Transit } from './transit'

type Values = Record<string, unknown>

/**
 * What we write into the results store and the log. Tokens and keys are stable: karma and dashboards read them.
 * Registered mail writes nothing.
 */
export class Report {
  private readonly refusals: RefusalLog

  constructor(private readonly plugin: Plugin) {
    this.refusals = new RefusalLog((refusals) => plugin.lognotice('refused', { ...refusals }))
  }

  /** None of our business; once a transaction. */
  skip(transit: Transit, reason: string): void {
    if (transit.skipped) return
    transit.skipped = true
    transit.transaction.results.add(this.plugin, { skip: reason })
  }

  /** Counted. `warnAt`: percent of a limit at which crossing it is worth a warning. */
  charged(
    connection: Connection,
    transit: Transit,
    result: ChargeResult,
    warnAt: readonly number[],
  ): void {
    const facts = { ...transit.facts, class: transit.standing.class }
    transit.transaction.results.add(this.plugin, {
      pass: 'allowance',
      ...transit.facts,
      // Or Haraka puts all that it holds of us into words, for each recipient (haraka-results, _log).
      human: 'allowance',
    })
    connection.loginfo(this.plugin, 'charged', {
      ...facts,
      verdict: 'pass',
      used: `${result.used}/${result.limit}`,
      transaction: transit.transaction.uuid,
    })
    if (result.firstWouldTrip) {
      connection.logwarn(this.plugin, 'would-trip', { ...facts, ...inWords(result) })
    }
    // Every number of recipients is counted by one charge, so each crossing is told once over all processes.
    for (const window of result.windows) {
      const percent = crossed(window, warnAt)
      if (percent !== undefined) {
        connection.logwarn(this.plugin, 'allowance', { ...facts, percent, ...inWords(window) })
      }
    }
  }

  /** Went past its allowance in this very moment. */
  tripped(connection: Connection, transit: Transit, result: ChargeResult, ip: string): void {
    const facts = transit.facts
    transit.transaction.results.add(this.plugin, { fail: 'tripped', ...facts })
    connection.logwarn(this.plugin, 'tripped', {
      ...facts,
      ip,
      ...inWords(result),
      transaction: transit.transaction.uuid,
    })
  }

  /** Refused or deferred. Of the refusals of one connector the log tells the first, then a count a minute. */
  refused(connection: Connection, transit: Transit, token: string): void {
    const facts = transit.facts
    transit.transaction.results.add(this.plugin, { fail: token, ...facts })
    const { ip } = connection.remote
    const { tenant = '', connector = tenant === '' ? ip : '' } = facts
    if (this.refusals.isFirst({ tenant, connector, reason: token })) {
      connection.lognotice(this.plugin, 'refused', { ...facts, ip, reason: token })
    }
  }

  /** Could not be decided; `values` say what was done. */
  undecided(transit: Transit, token: string, values: Values = {}): void {
    transit.transaction.results.add(this.plugin, { err: token, ...transit.facts, ...values })
  }
}

function inWords({ used, limit, window }: WindowCount): Values {
  return { used, limit, window: formatWindow(window) }
}

/** The highest of these percentages of the limit that this very recipient has reached. */
function crossed({ used, limit }: WindowCount, percentages: readonly number[]): number | undefined {
  return percentages.findLast((percent) => {
    const threshold = (limit * percent) / 100
    return used >= threshold && used - 1 < threshold
  })
}
