import { REPLIES } from '../src/decision/reply'
import type { HarakaAddress } from '../src/names/envelope'
import { guarded, orElse, type Answer, type GuardedHook } from './kit/guard'
import type { Connection, HMail, Next, Plugin, Server } from './kit/haraka'
import { logSafely } from './kit/log'
import { Egress } from './outbound/egress'
import { HeldQueue } from './outbound/held-queue'
import { Srs } from './outbound/srs'
import { Tag } from './outbound/tag'
import { PluginProcess } from './process/plugin-process'
import { Hooks } from './session/hooks'

/** Before most plugins: one that answers OK to RCPT, or asks its backend then, must not come first. */
const EARLY = -50
const FIRST = -100
const LAST = 100

let running: PluginProcess | undefined

/** Haraka calls it once in every process, also in the master of a cluster, before anything is connected. */
export function register(this: Plugin): void {
  logSafely(this)
  // Each wait of this plugin has a deadline of its own, and Haraka's timer is half of the cost of a hook.
  this.timeout = 0
  const process = new PluginProcess(this, () => void egress.check())
  const { config, engine, troubles } = process
  const egress = new Egress(this, config)
  running = process
  void egress.check()
  const hooks = new Hooks(this, config, engine, troubles)
  // Registered mail pays for these hooks only where there is a tag. A forged tag is removed before anything else answers.
  if (config().tag.header !== '') registerTag(this, hooks, new Tag(config))
  registerOutbound(this, new HeldQueue(this, config, engine), egress)
  registerSession(this, hooks, new Srs(this, config))
}

/** In the only process, or in the master of a cluster. */
export function hook_init_master(this: Plugin, next: Next, server: Server): void {
  running?.startMaster(server)
  next()
}

/** In a worker of a cluster. */
export function hook_init_child(this: Plugin, next: Next): void {
  running?.startWorker()
  next()
}

/** Haraka calls it before it drains the sessions. */
export function shutdown(this: Plugin): void {
  running?.stop()
}

function registerSession(plugin: Plugin, hooks: Hooks, srs: Srs): void {
  const guard = <Params>(
    hook: (connection: Connection, params: Params) => Answer | Promise<Answer>,
  ): GuardedHook<Connection, Params> =>
    guarded(hook, (error, connection) => hooks.failed(error, connection))
  const quietly = (hook: (connection: Connection) => undefined): GuardedHook<Connection, unknown> =>
    guarded(hook, (error, connection) => void hooks.failed(error, connection))

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
    // After a failure a bounce must not go to the wrong place: it is deferred.
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

function registerTag(plugin: Plugin, hooks: Hooks, tag: Tag): void {
  const on_tag = guarded(
    (connection: Connection) => tag.queue(connection),
    (error, connection): Answer => hooks.failed(error, connection),
  )
  Object.assign(plugin, { on_tag })
  plugin.register_hook('queue', 'on_tag', FIRST)
  plugin.register_hook('queue_outbound', 'on_tag', FIRST)
}

/** Hooks of Haraka's outbound queue. Where they fail, mail goes on as without this plugin: none is lost. */
function registerOutbound(plugin: Plugin, heldQueue: HeldQueue, egress: Egress): void {
  const failed = (error: unknown): undefined => {
    plugin.logcrit(`internal error: ${error instanceof Error ? error.stack : String(error)}`)
  }
  Object.assign(plugin, {
    on_send_email: guarded((hmail: HMail) => heldQueue.sendEmail(hmail), failed),
    on_get_mx: guarded((hmail: HMail) => egress.getMx(hmail), failed),
  })
  // Before plugins that count deliveries, such as limit: held mail is not delivered.
  plugin.register_hook('send_email', 'on_send_email', FIRST)
  plugin.register_hook('get_mx', 'on_get_mx', LAST)
}
