import cluster from 'node:cluster'
import type { Engine } from '../../src/process/engine'
import { FactsOfProcess, type Self } from '../../src/process/node-facts'
import { Heartbeat } from '../../src/nodes/heartbeat'
import { isNotAllowed, isNotConnected, redisFailure } from '../../src/store/failure'
import type { Plugin } from '../kit/haraka'
import { logTextOnce } from '../kit/log'

/** Says what this process is, until it ends: `tenantctl nodes` shows it. */
export class Heartbeats {
  private readonly heartbeat: Heartbeat

  /** Begins. @param ini the ini file in effect. */
  constructor(plugin: Plugin, engine: Engine, ini: () => Self['ini']) {
    const log = logTextOnce((line) => plugin.logwarn(line))
    const worker = cluster.worker?.id ?? 0
    const haraka = harakaVersion(plugin)
    const role = worker === 0 ? 'single' : 'worker'
    const facts = new FactsOfProcess(engine, () => ({ role, worker, haraka, ini: ini() }))
    const onError = (error: unknown): void => {
      // The connection logs its own failures.
      if (isNotConnected(error)) return
      const why = isNotAllowed(error) ? 'load docs/acl/plugin.acl' : redisFailure(error)
      log.say(why, `tenantctl nodes does not show this process: ${why}`)
    }
    this.heartbeat = new Heartbeat(engine.store, (draining) => facts.say(draining), onError)
    this.heartbeat.start()
  }

  /** For how long all heartbeats have been noted, in ms. */
  get noted(): number {
    return this.heartbeat.noted
  }

  /** What this process is has changed. */
  changed(): void {
    this.heartbeat.sayAgain()
  }

  /** Before the process drains its sessions. */
  drain(): void {
    this.heartbeat.drain()
    process.once('beforeExit', () => void this.heartbeat.stop())
  }
}

function harakaVersion(plugin: Plugin): string {
  return (plugin.haraka_require('package') as { version: string }).version
}
