import { defaultsOf } from '../../src/allowance/defaults'
import { completeEvidence } from '../../src/cases/complete'
import { forgetUnusedConfigs } from '../../src/nodes/unused-configs'
import { resolveEnded } from '../../src/events/sweep'
import type { Config } from '../../src/process/config'
import type { Engine } from '../../src/process/engine'
import { tellMissingHosts } from '../../src/process/missing-hosts'
import { tellPause } from '../../src/process/pause-duty'
import { UnattributedUsers } from '../../src/unusual/unattributed'
import { UnusualMonitor } from '../../src/unusual/monitor'
import type { Plugin } from '../kit/haraka'
import { Alerts } from './alerts'
import { logAudit } from './engine-log'
import { IdleForwards } from './idle-forwards'
import { LoweredLimits } from './lowered-limits'
import { QueueOrders } from './queue-orders'

/**
 * What one process of each Haraka does. The duties run in one process of all Harakas: the leader.
 *
 * Every worker has loaded it: one that comes to lead days later, after an upgrade, would mix two versions, and all of it takes
 * 0.2 MB.
 */
export class Lead {
  private readonly alerts: Alerts
  private readonly queueOrders: QueueOrders
  private readonly unusualMonitor: UnusualMonitor
  private readonly loweredLimits: LoweredLimits
  private readonly idleForwards: IdleForwards

  /**
   * Begins.
   *
   * @param config in effect now.
   * @param noted for how long all heartbeats of this process have been noted, in ms.
   */
  constructor(plugin: Plugin, engine: Engine, config: () => Config, noted: () => number) {
    const { store, forwarder, leader, directory } = engine
    this.loweredLimits = new LoweredLimits(plugin, engine)
    this.idleForwards = new IdleForwards(plugin, engine)
    this.idleForwards.look(config())
    this.unusualMonitor = new UnusualMonitor(store, config, (tenant) =>
      engine.eventsPending(tenant),
    )
    leader.add(this.unusualMonitor)
    leader.add(tellMissingHosts(store, forwarder, noted))
    leader.add(tellPause(store, forwarder))
    leader.add(forgetUnusedConfigs(store))
    leader.add(completeEvidence(store))
    leader.add(resolveEnded(store, forwarder, () => defaultsOf(config())))
    leader.add(
      new UnattributedUsers({
        ...{ store, config, connectors: () => directory.connectors },
        publish: (event) => forwarder.publish('', event),
      }),
    )
    leader.start()
    this.alerts = new Alerts(plugin, engine, config)
    this.queueOrders = new QueueOrders(plugin, config)
    this.queueOrders.begin(engine)
    engine.followAudit((entry) => logAudit(plugin, entry))
  }

  /** Another configuration is in effect. */
  configured(before: Config, now: Config): void {
    this.loweredLimits.changed(before, now)
    this.idleForwards.look(now)
    this.alerts.configured()
  }

  /** An order to the queue of this host may wait. */
  lookForOrders(): void {
    this.queueOrders.look()
  }

  stop(): void {
    this.alerts.stop()
    this.queueOrders.stop()
    this.unusualMonitor.stop()
    this.loweredLimits.stop()
  }
}
