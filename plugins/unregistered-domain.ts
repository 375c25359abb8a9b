import path from 'node:path'
import { freezeEvidence } from '../src/cases/freeze'
import type { Config } from '../src/process/config'
import { messageOf } from '../src/base/errors'
import type { Event } from '../src/records/event'
import { resolveEnded } from '../src/events/sweep'
import { harakaWarnings } from '../src/config/haraka-checks'
import { harakaFiles } from '../src/config/haraka-files'
import { defaultsOf } from '../src/allowance/defaults'
import { Engine } from '../src/process/engine'
import { REPLIES } from '../src/decision/reply'
import type { HarakaAddress } from '../src/names/envelope'
import { readOwnedFile } from '../src/base/owned-file'
import { connectorId } from '../src/mail/identities'
import type { Snapshot } from '../src/directory/snapshot'
import { applyInThread } from '../src/process/tenants-file-thread'
import type { Connector } from '../src/mail/tenant'
import { UnusualMonitor } from '../src/unusual/monitor'
import { UnattributedUsers } from '../src/unusual/unattributed'
import { Alerts } from './process/alerts'
import { Appointment, appointWorker, hearAppointment } from './process/appointment'
import { logAlert } from './process/alert-line'
import { logAudit } from './process/audit-line'
import { Egress } from './outbound/egress'
import { guarded, orElse, type GuardedHook } from './kit/guard'
import type { Connection, HMail, Next, Plugin, Server } from './kit/haraka'
import { HeldQueue } from './outbound/held-queue'
import { Hooks } from './session/hooks'
import { configDirectory, IniFile } from './process/ini-file'
import { logSafely, logTextOnce } from './kit/log'
import { Srs } from './outbound/srs'
import { Tag } from './outbound/tag'
import { watchTenantsFile } from './process/tenants-file'
import { WarmStart } from './process/warm-start'

/** Before most others: a plugin that answers OK to RCPT, or speaks to its backend then, must not come first. */
const EARLY = -50
const FIRST = -100
const LAST = 100

/** One process of Haraka, from register() on. */
class Process {
  /** From its start on. */
  starting: Engine | undefined
  /** The same for the hooks, from when it knows what was known before: else they could believe another registry. */
  engine: Engine | undefined
  readonly hooks: Hooks
  readonly srs: Srs
  readonly warmStart: WarmStart
  readonly appointment = new Appointment()
  readonly alerts: Alerts
  readonly egress: Egress
  readonly heldQueue: HeldQueue
  readonly tag = new Tag(() => this.config)
  /** Whether the hooks of the tag are there: registered mail pays for them only where there is one. */
  readonly tags: boolean
  unusualMonitor: UnusualMonitor | undefined

  constructor(
    plugin: Plugin,
    public config: Config,
    readonly redisUsable: boolean,
  ) {
    this.warmStart = new WarmStart(plugin, config.outage.snapshot)
    this.alerts = new Alerts(plugin, () => this.config.alerts)
    this.hooks = new Hooks(
      plugin,
      () => this.config,
      () => this.engine,
    )
    this.srs = new Srs(plugin, () => this.config)
    this.egress = new Egress(plugin, () => this.config)
    this.heldQueue = new HeldQueue(
      plugin,
      () => this.config,
      () => this.engine,
    )
    this.tags = config.tag.header !== ''
  }
}

let running: Process | undefined

/** Haraka calls it once in every process, the master's included; nothing is connected yet. */
export function register(this: Plugin): void {
  logSafely(this)
  // Each of our awaits has a deadline of its own, and Haraka's timer is half of what a hook costs.
  this.timeout = 0
  const ini = new IniFile(this, (config) => {
    if (!running) return
    running.config = config
    void running.egress.check()
  })
  const process = new Process(this, ini.config, ini.redisUsable)
  running = process
  hearAppointment(process.appointment)
  for (const { check, message, advice } of harakaWarnings(harakaFiles(configDirectory(this)))) {
    this.logwarn(`${check}: ${message}; ${advice}`)
  }
  void process.egress.check()
  // A forged tag is removed before anything else may answer.
  registerOutbound(this, process)
  registerHooks(this, process)
}

/** Single process, or the master of a cluster: the one that applies the tenants file. */
export function hook_init_master(this: Plugin, next: Next, { cluster }: Server): void {
  if (cluster) appointWorker(cluster)
  else running?.appointment.appoint()
  start(this, { follow: cluster === undefined, applyFile: true })
  next()
}

/** A worker of a cluster. */
export function hook_init_child(this: Plugin, next: Next): void {
  start(this, { follow: true, applyFile: false })
  next()
}

/** Haraka calls it before it drains the sessions: they still need their answers. */
export function shutdown(this: Plugin): void {
  running?.warmStart.stop()
  running?.alerts.stop()
  running?.unusualMonitor?.stop()
  running?.starting?.release()
}

function start(
  plugin: Plugin,
  { follow, applyFile }: { follow: boolean; applyFile: boolean },
): void {
  const process = running
  if (!process || process.starting || !process.redisUsable) return
  const wantsFile = applyFile && process.config.tenants.apply && process.config.tenants.file !== ''
  if (!follow && !wantsFile) return
  const failed = (error: unknown): void =>
    plugin.logcrit(`not started: ${messageOf(error)}; relaying sessions get 451`)
  try {
    const engine = new Engine(
      process.config.redis,
      eventsOf(plugin, process),
      () => process.config.report.days,
    )
    process.starting = engine
    engine.forwarder.beforePublish.push((tenant, event) =>
      beforeEvent(process, engine, tenant, event),
    )
    process.warmStart
      .recall(engine)
      .then(() => {
        process.engine = engine
        if (follow) engine.follow()
        if (follow) process.appointment.whenAppointed(() => beginDuties(plugin, process, engine))
        engine.onConnected(() => process.hooks.troubles.over('connection'))
        if (wantsFile) applyTenantsFile(plugin, engine, process.config)
      })
      .catch(failed)
  } catch (error) {
    failed(error)
  }
}

/** What belongs to an event is there before the event is told. */
async function beforeEvent(
  { config }: Process,
  engine: Engine,
  tenant: string,
  event: Event,
): Promise<void> {
  if (event.kind !== 'restricted') return
  const flush = (of: string): Promise<void> => engine.flushReports(of)
  const { store, ledger } = engine
  await freezeEvidence({ store, ledger, config, flush }, tenant, event)
}

/** What one process of each Haraka does; the duties of the leader run in one process of all Harakas. */
function beginDuties(plugin: Plugin, process: Process, engine: Engine): void {
  process.warmStart.keep(engine)
  const { store, forwarder, leader } = engine
  leader.add(resolveEnded(store, forwarder, () => defaultsOf(process.config)))
  process.unusualMonitor = new UnusualMonitor(
    store,
    () => process.config,
    (tenant) => engine.eventsPending(tenant),
  )
  leader.add(process.unusualMonitor)
  leader.add(
    new UnattributedUsers({
      store,
      config: () => process.config,
      connectors: () => engine.directory.connectors,
      publish: (event) => forwarder.publish('', event),
    }),
  )
  leader.start()
  process.alerts.begin(engine)
  engine.followAudit((entry) => logAudit(plugin, entry))
}

function applyTenantsFile(plugin: Plugin, engine: Engine, { owner, redis, tenants }: Config): void {
  const destination = {
    whenWritable: () => engine.whenWritable(),
    apply: (text: string, filename: string) => applyInThread(text, filename, redis),
  }
  const file = path.resolve(configDirectory(plugin), tenants.file)
  watchTenantsFile(plugin, destination, tenants.file, () => readOwnedFile(file, owner).content)
}

function eventsOf(plugin: Plugin, process: Process): ConstructorParameters<typeof Engine>[1] {
  const { troubles } = process.hooks
  const quiet = logTextOnce((line) => plugin.logerror(line))
  const loud = logTextOnce((line) => plugin.logcrit(line))
  return {
    onReady: (connectors) =>
      plugin.lognotice('ready', {
        connectors,
        mode: process.config.main.override ?? process.config.main.mode,
      }),
    onRestriction: (_before, now) => logRestriction(plugin, now),
    onConnectorBlock: (now) => logConnectorBlock(plugin, now),
    onUnusable: (message) => loud.say(message, message),
    onUsableAgain: () =>
      plugin.lognotice('registry accepted; counting of unregistered mail resumed'),
    onError: (message) => troubles.tell('background', message),
    onRedisError: (message) => troubles.tell('connection', message),
    onAlert: (alert) => logAlert(plugin, alert),
    onDrop: (reason) => quiet.say(reason, `not given back, not indexed or not recorded: ${reason}`),
  }
}

/** What tripped by itself has been told by the process where it did. */
function logRestriction(plugin: Plugin, now: Snapshot): void {
  const { tenant } = now
  if (now.restricted === undefined) {
    plugin.logwarn('unblocked', { tenant })
  } else if (now.restrictedBy !== 'automatic') {
    plugin.logwarn('blocked', { tenant, scope: now.restricted, by: now.restrictedBy })
  }
}

function logConnectorBlock(plugin: Plugin, { tenant, name, blocked }: Connector): void {
  const who = { tenant, connector: connectorId(tenant, name) }
  if (!blocked) plugin.logwarn('connector-unblocked', who)
  else plugin.logwarn('connector-blocked', { ...who, by: blocked.by, reason: blocked.reason })
}

function registerHooks(plugin: Plugin, { hooks, srs }: Process): void {
  const guard = <Params>(
    hook: (connection: Connection, params: Params) => ReturnType<Hooks['mail']>,
  ): GuardedHook<Connection, Params> =>
    guarded(hook, (error, connection) => hooks.failed(error, connection))
  const quietly = (hook: (connection: Connection) => undefined): GuardedHook<Connection, unknown> =>
    guarded(hook, (error, connection) => {
      hooks.failed(error, connection)
      return undefined
    })

  const methods = {
    on_connect: quietly((connection) => hooks.connect(connection)),
    on_greet: guard((connection) => hooks.greet(connection)),
    on_mail: guard((connection) => hooks.mail(connection)),
    on_rcpt: guard((connection, params: [HarakaAddress]) =>
      srs.rcptAfter(hooks.rcpt(connection, params), connection, params),
    ),
    on_rcpt_ok: guard((connection, recipient: HarakaAddress) =>
      hooks.rcptOk(connection, recipient),
    ),
    on_data_post: guard((connection) => hooks.dataPost(connection)),
    on_deny: (next: Next, _connection: Connection, params: unknown[]) => hooks.deny(next, params),
    on_end: quietly((connection) => hooks.end(connection)),
    // A bounce that could go the wrong way comes again.
    on_queue: guarded(
      (connection: Connection) => orElse(hooks.queue(connection), () => srs.queue(connection)),
      (error, connection) => hooks.failed(error, connection) ?? REPLIES.undecidable,
    ),
    on_queue_outbound: guard((connection) =>
      orElse(hooks.queue(connection), () => srs.queueOutbound(connection)),
    ),
    on_send: quietly((connection) => srs.beforeOutbound(connection)),
  }
  Object.assign(plugin, methods)

  const on = (hook: string, method: keyof typeof methods, priority: number): void =>
    plugin.register_hook(hook, method, priority)
  on('connect', 'on_connect', FIRST)
  on('helo', 'on_greet', EARLY)
  on('ehlo', 'on_greet', EARLY)
  on('mail', 'on_mail', 0)
  on('rcpt', 'on_rcpt', EARLY)
  on('rcpt_ok', 'on_rcpt_ok', EARLY)
  on('data_post', 'on_data_post', FIRST)
  on('deny', 'on_deny', FIRST)
  on('reset_transaction', 'on_end', FIRST)
  on('disconnect', 'on_end', FIRST)
  on('queue', 'on_queue', FIRST)
  on('queue_outbound', 'on_queue_outbound', FIRST)
  on('pre_send_trans_email', 'on_send', FIRST)
}

/** What happens to mail that passes: in the queue hooks of its session, and in those of Haraka's outbound queue. */
function registerOutbound(plugin: Plugin, { hooks, tag, tags, heldQueue, egress }: Process): void {
  // Where this plugin fails, mail goes on as without it: none is lost.
  const failed = (error: unknown): undefined => {
    plugin.logcrit(`internal error: ${error instanceof Error ? error.stack : String(error)}`)
  }
  Object.assign(plugin, {
    on_tag: guarded(
      (connection: Connection) => tag.queue(connection),
      (error, connection) => hooks.failed(error, connection),
    ),
    on_send_email: guarded((hmail: HMail) => heldQueue.sendEmail(hmail), failed),
    on_get_mx: guarded((hmail: HMail) => egress.getMx(hmail), failed),
  })
  if (tags) {
    plugin.register_hook('queue', 'on_tag', FIRST)
    plugin.register_hook('queue_outbound', 'on_tag', FIRST)
  }
  // Before plugins that count what is being sent, such as limit: held mail is not.
  plugin.register_hook('send_email', 'on_send_email', FIRST)
  plugin.register_hook('get_mx', 'on_get_mx', LAST)
}
