import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import path from 'node:path'
import { packageRoot } from '../base/package-root'
import type { Settings } from '../config/settings-reader'
import type { Said } from '../nodes/heartbeat'
import type { NodeFacts, Role } from '../nodes/node'
import { addressOf } from '../store/connection'
import type { Config } from './config'
import type { Engine } from './engine'
import { LoopDelay } from './loop-delay'
import { nodeConfig, type DigestedConfig } from './node-config'

/** What a process knows of itself. */
export interface Self {
  readonly role: Role
  /** Number of the worker in its Haraka; 0: it is no worker. */
  readonly worker: number
  /** The version of Haraka; empty: it is none. */
  readonly haraka: string
  /** The ini file in effect. */
  readonly ini: {
    readonly config: Config
    readonly settings: Settings
    /** ms since the epoch */
    readonly changedAt: number
  }
}

/** Of the site and of the host. */
type Configs = readonly [DigestedConfig, DigestedConfig]

/** Puts together what a process says of itself. */
export class FactsOfProcess {
  private readonly fixed: Pick<NodeFacts, 'host' | 'pid' | 'started' | 'boot' | 'versions'>
  private readonly loop = new LoopDelay()
  private config:
    { readonly of: Settings; readonly salt: string; readonly all: Configs } | undefined

  constructor(
    private readonly engine: Engine,
    private readonly self: () => Self,
  ) {
    this.loop.start()
    this.fixed = {
      host: hostname(),
      pid: process.pid,
      started: Math.round(performance.timeOrigin),
      boot: bootOf(),
      versions: { plugin: ownVersion(), haraka: self().haraka, node: process.versions.node },
    }
  }

  /** @param draining it ends after its sessions. */
  say(draining: boolean): Said {
    const { engine, fixed } = this
    const { directory, backlog, totals, ledger } = engine
    const { registry, pause } = directory
    const { role, worker, ini } = this.self()
    const { charged, undecided } = totals.sinceStart
    const { main, redis } = ini.config
    const [ofSite, ofHost] = this.configs(ini.settings, registry.epoch ?? '')
    const facts: NodeFacts = {
      ...fixed,
      ...{ id: engine.processId, worker, role, draining, clock: Date.now() },
      config: { digest: ofSite.digest, ofHost: ofHost.digest, changed: Math.round(ini.changedAt) },
      redis: addressOf(redis),
      ...{ mode: main.mode, override: main.override ?? '' },
      pause: { mark: pause.mark, paused: pause.inEffect !== undefined },
      registry: { state: registry.state, epoch: registry.epoch ?? '' },
      connectors: directory.connectors?.size ?? 0,
      tenants: directory.tenantCount,
      ...{ applied: directory.applied, heard: directory.heard },
      counters: { ...charged, undecided, ...backlog },
      ...{ charge: ledger.times.read(), loop: this.loop.read() },
    }
    return { facts, configs: new Map([ofSite, ofHost].map(({ digest, text }) => [digest, text])) }
  }

  /** Made anew only when the ini file has changed. */
  private configs(settings: Settings, salt: string): Configs {
    if (this.config?.of !== settings || this.config.salt !== salt) {
      const all: Configs = [nodeConfig(settings, 'site', salt), nodeConfig(settings, 'host', salt)]
      this.config = { of: settings, salt, all }
    }
    return this.config.all
  }
}

/** Empty: this system does not say, so no process knows of another one whether it has ended. */
function bootOf(): string {
  try {
    const kernel = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return `${kernel} ${readlinkSync('/proc/self/ns/pid')}`
  } catch {
    return ''
  }
}

function ownVersion(): string {
  const file = path.join(packageRoot(), 'package.json')
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}
