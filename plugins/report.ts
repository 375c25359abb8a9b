import type { ChargeResult } from '../src/allowance/ledger'
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
    this.refusals = new RefusalLog(({ tenant, connector, count }) =>
      plugin.lognotice('refused', { tenant, connector, count, seconds: 60 }),
    )
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
    const facts = factsOf(transit)
    transit.transaction.results.add(this.plugin, { pass: 'allowance', ...facts })
    const meter = { used: result.used, limit: result.limit, window: formatWindow(result.window) }
    connection.loginfo(this.plugin, 'charged', {
      ...facts,
      ...classOf(transit),
      verdict: 'pass',
      used: `${result.used}/${result.limit}`,
      transaction: transit.transaction.uuid,
    })
    if (result.window === 0) return
    if (result.used === result.limit + 1) {
      connection.logwarn(this.plugin, 'would-trip', { ...facts, ...meter })
    }
    // Every number of recipients is counted by one charge, so each crossing is told once over all processes.
    const crossed = warnAt.filter((percent) => crosses(result, percent)).at(-1)
    if (crossed !== undefined) {
      connection.logwarn(this.plugin, 'allowance', { ...facts, percent: crossed, ...meter })
    }
  }

  /** Went past its allowance in this very moment. */
  tripped(connection: Connection, transit: Transit, result: ChargeResult, ip: string): void {
    const facts = factsOf(transit)
    transit.transaction.results.add(this.plugin, { fail: 'tripped', ...facts })
    connection.logwarn(this.plugin, 'tripped', {
      ...facts,
      ip,
      used: result.used,
      limit: result.limit,
      window: formatWindow(result.window),
      transaction: transit.transaction.uuid,
    })
  }

  /** Refused or deferred. Of the refusals of one connector the log tells the first, then a count a minute. */
  refused(connection: Connection, transit: Transit, token: string): void {
    const facts = factsOf(transit)
    transit.transaction.results.add(this.plugin, { fail: token, ...facts })
    const { tenant = '', connector = '' } = facts
    if (this.refusals.isFirst(tenant, connector || connection.remote.ip)) {
      connection.lognotice(this.plugin, 'refused', { ...facts, reason: token })
    }
  }

  /** Could not be decided; `values` say what was done. */
  undecided(transit: Transit, token: string, values: Values = {}): void {
    transit.transaction.results.add(this.plugin, { err: token, ...factsOf(transit), ...values })
  }
}

function crosses({ used, limit }: ChargeResult, percent: number): boolean {
  const threshold = (limit * percent) / 100
  return used >= threshold && used - 1 < threshold
}

interface TransitFacts {
  tenant?: string
  connector?: string
  domain?: string
}

function factsOf({ attribution, standing }: Transit): TransitFacts {
  const facts: TransitFacts = {}
  if (attribution.kind === 'attributed') {
    facts.tenant = attribution.tenant
    if (attribution.connector !== undefined) facts.connector = attribution.connector
  }
  if (standing.domain !== undefined) facts.domain = standing.domain
  return facts
}

function classOf({ standing }: Transit): Values {
  return { class: standing.class }
}
