import path from 'node:path'
import { sourcesOf } from '../../src/alerts/sources'
import { messageOf } from '../../src/base/errors'
import { readOwnedFile } from '../../src/base/owned-file'
import { freezeEvidence } from '../../src/cases/freeze'
import { harakaWarnings } from '../../src/config/haraka-checks'
import { harakaFiles } from '../../src/config/haraka-files'
import { withPause } from '../../src/enforcement/in-effect'
import { mailauthProblem } from '../../src/message/proof/mailauth'
import type { Config } from '../../src/process/config'
import { Engine, type EngineEvents } from '../../src/process/engine'
import { applyInThread } from '../../src/process/apply-in-thread'
import { addressOf } from '../../src/store/connection'
import type { Plugin, Server } from '../kit/haraka'
import { RedisTroubles } from '../kit/redis-troubles'
import { engineLog, logPause } from './engine-log'
import { Heartbeats } from './heartbeats'
import { configDirectory, IniFile } from './ini-file'
import { Lead } from './lead'
import { chooseLeadWorker, LeadWorker } from './lead-worker'
import { watchTenantsFile } from './tenants-file'
import { WarmStart } from './warm-start'

/** This plugin in one process of Haraka: its configuration, its connection to Redis, and what runs beside sessions. */
export class PluginProcess {
  readonly troubles: RedisTroubles
  private readonly redisUsable: boolean
  private readonly ini: IniFile
  private fromFile: Config
  private inEffect: Config
  private readonly warmStart: WarmStart
  private readonly leadWorker = new LeadWorker()
  private starting: Engine | undefined
  private started: Engine | undefined
  private heartbeats: Heartbeats | undefined
  /** In the process that leads. */
  private lead: Lead | undefined

  /** @param onConfig is called whenever another configuration is in effect. */
  constructor(
    private readonly plugin: Plugin,
    private readonly onConfig: () => void,
  ) {
    this.ini = new IniFile(plugin, (changed) => {
      const before = this.fromFile
      this.fromFile = changed
      this.putInEffect()
      this.lead?.configured(before, changed)
      this.heartbeats?.changed()
    })
    const { config, redisUsable } = this.ini
    this.fromFile = this.inEffect = config
    this.redisUsable = redisUsable
    this.troubles = new RedisTroubles(plugin, addressOf(config.redis))
    this.warmStart = new WarmStart(plugin, config.outage.snapshot)
    this.leadWorker.listen()
    for (const { check, message, advice } of harakaWarnings(harakaFiles(configDirectory(plugin)))) {
      plugin.logwarn(`${check}: ${message}; ${advice}`)
    }
    const problem = config.forwarded.enabled ? mailauthProblem() : undefined
    if (problem) plugin.logcrit(`${problem.message}; ${problem.advice}`)
  }

  /** The configuration in effect: that of the ini file, or with a pause of enforcement. */
  readonly config = (): Config => this.inEffect

  /**
   * For the hooks; `undefined` until the process has read which registry an earlier process knew: before that it could
   * believe another one.
   */
  readonly engine = (): Engine | undefined => this.started

  /** In the master of a cluster, or the only process: it applies the tenants file. */
  startMaster({ cluster }: Server): void {
    if (cluster) chooseLeadWorker(cluster)
    else this.leadWorker.lead()
    const { apply, file } = this.inEffect.tenants
    this.start({ follow: cluster === undefined, applyFile: apply && file !== '' })
  }

  startWorker(): void {
    this.start({ follow: true, applyFile: false })
  }

  /** Before the process drains its sessions, which still get answers. */
  stop(): void {
    this.warmStart.stop()
    this.lead?.stop()
    this.starting?.release()
    this.heartbeats?.drain()
  }

  private putInEffect(): void {
    this.inEffect = withPause(this.fromFile, this.starting?.directory.pause.inEffect)
    this.onConfig()
  }

  private start(tasks: { readonly follow: boolean; readonly applyFile: boolean }): void {
    if (this.starting || !this.redisUsable || !(tasks.follow || tasks.applyFile)) return
    const failed = (error: unknown): void =>
      this.plugin.logcrit(`not started: ${messageOf(error)}; relaying sessions get 451`)
    try {
      const engine = this.newEngine(tasks)
      this.starting = engine
      this.warmStart
        .recall(engine)
        .then(() => this.run(engine, tasks))
        .catch(failed)
    } catch (error) {
      failed(error)
    }
  }

  private newEngine({ follow }: { readonly follow: boolean }): Engine {
    const logged = engineLog(this.plugin, this.troubles, this.config)
    const events: EngineEvents = {
      ...logged,
      onReady: (connectors) => {
        logged.onReady(connectors)
        this.heartbeats?.changed()
      },
      onOrder: () => this.lead?.lookForOrders(),
      onPause: () => {
        // One that follows no changes takes no mail, and would not hear of the end.
        if (!follow) return
        this.putInEffect()
        this.heartbeats?.changed()
        logPause(this.plugin, this.fromFile, this.starting!.directory.pause)
      },
    }
    const engine = new Engine(this.inEffect.redis, events, () => this.inEffect.report.days)
    const { store, ledger, forwarder } = engine
    const flush = (tenant: string): Promise<void> => engine.flushReports(tenant)
    // The evidence of a restriction is there before its alert.
    forwarder.beforePublish.push(async (tenant, event) => {
      if (event.kind !== 'restricted') return
      await freezeEvidence({ store, ledger, config: this.inEffect, flush }, tenant, event)
    })
    forwarder.beforePublish.push((tenant, event) => sourcesOf({ store, flush }, tenant, event))
    return engine
  }

  private run(
    engine: Engine,
    { follow, applyFile }: { readonly follow: boolean; readonly applyFile: boolean },
  ): void {
    this.started = engine
    if (follow) engine.follow()
    if (follow) this.beginHeartbeats(engine)
    if (follow) this.leadWorker.whenLeading(() => this.beginToLead(engine))
    engine.onConnected(() => this.troubles.over('connection'))
    if (applyFile) this.applyTenantsFile(engine)
  }

  private beginHeartbeats(engine: Engine): void {
    const { ini } = this
    this.heartbeats = new Heartbeats(this.plugin, engine, () => {
      const { settings, changedAt } = ini
      return { config: this.fromFile, settings, changedAt }
    })
  }

  private beginToLead(engine: Engine): void {
    this.warmStart.keep(engine)
    this.lead = new Lead(this.plugin, engine, this.config, () => this.heartbeats?.noted ?? 0)
  }

  private applyTenantsFile(engine: Engine): void {
    const { owner, redis, tenants } = this.inEffect
    const destination = {
      whenWritable: () => engine.whenWritable(),
      apply: (content: Buffer, filename: string) => {
        const { registry } = this.inEffect
        return applyInThread(content, filename, { redis, registry })
      },
    }
    const file = path.resolve(configDirectory(this.plugin), tenants.file)
    const read = (): Buffer => readOwnedFile(file, owner).content
    watchTenantsFile(this.plugin, destination, tenants.file, read)
  }
}
