import { REPLIES } from '../src/decision/reply'
import type { HarakaAddress } from '../src/names/envelope'
import { guarded, type Answer, type GuardedHook } from './kit/guard'
import type { Connection, HMail, Next, Plugin, Server } from './kit/haraka'
import { logSafely } from './kit/log'
import { Egress } from './outbound/egress'
import { HeldQueue } from './outbound/held-queue'
import { Srs } from './outbound/srs'
import { Tag } from './outbound/tag'
import { PluginProcess } from './process/plugin-process'
import { hooksFor, type HookMethod } from './session/feature-hooks'
import { Hooks } from './session/hooks'

type OutboundMethod = 'on_send_email' | 'on_get_mx'
type SessionMethod = Exclude<HookMethod, OutboundMethod>
/** Handlers of hooks by their names; each has the subject and the parameters of its hook. */
type Methods<M extends HookMethod> = Readonly<
  Record<M, (next: Next, subject: never, params: never) => void>
>

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
  const methods = {
    ...sessionMethods(
      new Hooks(this, config, engine, troubles),
      new Srs(this, config),
      new Tag(config),
    ),
    ...outboundMethods(this, new HeldQueue(this, config, engine), egress),
  } satisfies Methods<HookMethod>
  Object.assign(this, methods)
  for (const { hook, method, priority } of hooksFor(config())) {
    this.register_hook(hook, method, priority)
  }
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

function sessionMethods(hooks: Hooks, srs: Srs, tag: Tag): Methods<SessionMethod> {
  const guard = <Params>(
    hook: (connection: Connection, params: Params) => Answer | Promise<Answer>,
  ): GuardedHook<Connection, Params> =>
    guarded(hook, (error, connection) => hooks.failed(error, connection))
  const quietly = (hook: (connection: Connection) => undefined): GuardedHook<Connection, unknown> =>
    guarded(hook, (error, connection) => void hooks.failed(error, connection))

  return {
    on_connect: quietly((connection) => hooks.connect(connection)),
    on_greet: guard((connection) => hooks.greet(connection)),
    on_mail: guard((connection) => hooks.mail(connection)),
    on_rcpt: guard((connection, params: [HarakaAddress]) => hooks.rcpt(connection, params)),
    on_srs_rcpt: guard((connection, params: [HarakaAddress]) => srs.rcpt(connection, params)),
    on_rcpt_ok: guard((connection, recipient: HarakaAddress) =>
      hooks.rcptOk(connection, recipient),
    ),
    on_data_post: guard((connection) => hooks.dataPost(connection)),
    on_deny: (next: Next, _connection: Connection, params: unknown[]) => hooks.deny(next, params),
    on_end: quietly((connection) => hooks.end(connection)),
    on_tag: guard((connection) => tag.queue(connection)),
    on_queue: guard((connection) => hooks.queue(connection)),
    // After a failure a bounce must not go to the wrong place: it is deferred.
    on_srs_queue: guarded(
      (connection: Connection) => srs.queue(connection),
      (error, connection) => hooks.failed(error, connection) ?? REPLIES.undecidable,
    ),
    on_srs_queue_outbound: guard((connection) => srs.queueOutbound(connection)),
    on_send: quietly((connection) => srs.beforeOutbound(connection)),
  }
}

/** Hooks of Haraka's outbound queue. Where they fail, mail goes on as without this plugin: none is lost. */
function outboundMethods(
  plugin: Plugin,
  heldQueue: HeldQueue,
  egress: Egress,
): Methods<OutboundMethod> {
  const failed = (error: unknown): undefined => {
    plugin.logcrit(`internal error: ${error instanceof Error ? error.stack : String(error)}`)
  }
  return {
    on_send_email: guarded((hmail: HMail) => heldQueue.sendEmail(hmail), failed),
    on_get_mx: guarded((hmail: HMail) => egress.getMx(hmail), failed),
  }
}
