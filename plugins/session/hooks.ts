import constants from 'haraka-constants'
import { defaultsOfNow } from '../../src/allowance/defaults'
import type { Attribution } from '../../src/decision/attribution'
import { ownerDecides } from '../../src/decision/classify'
import { CLASSES } from '../../src/mail/classes'
import { isOwn, judge, type Judgement, type Reason, type Stage } from '../../src/decision/judge'
import { REPLIES } from '../../src/decision/reply'
import { modeInEffect } from '../../src/mail/mode'
import type { HarakaAddress } from '../../src/names/envelope'
import type { Config } from '../../src/process/config'
import type { Engine } from '../../src/process/engine'
import type { Answer } from '../kit/guard'
import type { Connection, EnvelopeRecipient, Next, Plugin } from '../kit/haraka'
import { logTextOnce } from '../kit/log'
import type { RedisTroubles } from '../kit/redis-troubles'
import { Charging, type HookContext } from './charging'
import { EndOfData } from './end-of-data'
import { HeaderFrom } from './header-from'
import { Recording } from './recording'
import { Report } from './report'
import { SenderResolver } from './sender'
import { Session } from './session'
import type { Transaction } from './transaction'

type Result = Answer | Promise<Answer>

/** Reasons to pass without a charge that reports count. Mail to the tenant's own domains is not relayed. */
const COUNTED: ReadonlySet<Reason> = new Set(['tenant-unknown', 'no-tenant'])

/**
 * The hooks of SMTP sessions, as Haraka calls them. Registered mail neither waits nor asks Redis: each hook returns at
 * once where the process knows all that it needs. What waits has a method of its own, since a closure makes V8 allocate
 * the variables of the whole function on the heap, in every call.
 */
export class Hooks {
  private readonly sessions = new WeakMap<Connection, Session>()
  private readonly report: Report
  private readonly senders: SenderResolver
  private readonly charging: Charging
  private readonly endOfData: EndOfData
  private readonly headerFrom: HeaderFrom
  private readonly recording: Recording

  /**
   * @param config the configuration in effect.
   * @param engine `undefined` until Haraka has started the plugin; until then relaying sessions cannot be decided.
   */
  constructor(
    private readonly plugin: Plugin,
    private readonly config: () => Config,
    engine: () => Engine | undefined,
    troubles: RedisTroubles,
  ) {
    this.report = new Report(plugin, (reason) => engine()?.totals.addUndecided(reason))
    const { report } = this
    const log = logTextOnce((line) => plugin.logerror(line))
    const context: HookContext = {
      report,
      config,
      defaults: defaultsOfNow(config),
      engine,
      troubles,
    }
    this.senders = new SenderResolver(config, engine, log)
    this.charging = new Charging(context)
    this.endOfData = new EndOfData(context, this.charging)
    this.recording = new Recording(config, engine, log, (transaction) =>
      this.headerFrom.lookAt(transaction),
    )
    this.headerFrom = new HeaderFrom(
      report,
      config,
      (...found) => this.recording.headerFrom(...found),
      (...mail) => this.endOfData.chargeInstead(...mail),
      log,
    )
  }

  connect(connection: Connection): undefined {
    this.sessionOf(connection).noteAddress(connection)
    return undefined
  }

  /** helo and ehlo: on ports 587 and 465 a session must relay before MAIL (connection.js, cmd_mail). */
  greet(connection: Connection): Result {
    if (!this.config().attribution.grantRelay || connection.relaying) return undefined
    const session = this.sessionOf(connection)
    const attribution = this.senders.attribution(connection, session)
    if (attribution instanceof Promise) return grantAfter(attribution, connection, session)
    session.grantRelay(connection, attribution)
    return undefined
  }

  mail(connection: Connection): Result {
    const session = this.sessionOf(connection)
    this.endTransaction(connection, session)
    return this.decide('mail', connection, session)
  }

  rcpt(connection: Connection, [recipient]: readonly [HarakaAddress]): Result {
    return this.decide('rcpt', connection, this.sessionOf(connection), recipient)
  }

  rcptOk(connection: Connection, recipient: HarakaAddress): Result {
    return this.decide('rcpt_ok', connection, this.sessionOf(connection), recipient)
  }

  /** The message is there: what was held for it is charged. */
  dataPost(connection: Connection): Result {
    const transaction = this.currentOf(connection)
    if (!transaction) return undefined
    transaction.dropRefused()
    return transaction.findingOwner
      ? this.examineAfter(transaction.findingOwner, connection, transaction)
      : this.examine(connection, transaction)
  }

  /** Later hooks and the queue read the class of the message: so it must be known. */
  private async examineAfter(
    finding: Promise<void>,
    connection: Connection,
    transaction: Transaction,
  ): Promise<Answer> {
    await transaction.decide(finding)
    return transaction.hasEnded ? undefined : this.examine(connection, transaction)
  }

  private examine(connection: Connection, transaction: Transaction): Result {
    return (
      this.endOfData.chargeHeld(connection, transaction) ??
      this.headerFrom.charge(connection, transaction)
    )
  }

  /**
   * The message is about to be accepted. What is still held is charged now: another plugin's OK to data_post kept this
   * plugin's hook from running. Haraka sends a refusal with code and text of its own (connection.js, queue_respond).
   */
  queue(connection: Connection): Result {
    const transaction = this.currentOf(connection)
    return transaction && this.endOfData.chargeHeld(connection, transaction)
  }

  /** The current transaction, where this plugin has seen it. */
  private currentOf(connection: Connection): Transaction | undefined {
    const transaction = this.sessions.get(connection)?.transaction
    return transaction?.haraka === connection.transaction ? transaction : undefined
  }

  /**
   * Protects the refusals of this plugin: STOP ends the deny hook before delay_deny or karma can turn one into an OK, and
   * Haraka sends the refusal as it is (plugins.js, get_denyfn).
   */
  deny(next: Next, params: readonly unknown[]): void {
    if (params[2] === this.plugin.name) next(constants.stop)
    else next()
  }

  /** reset_transaction, and disconnect: where another plugin is slow in reset_transaction, only that comes. */
  end(connection: Connection): undefined {
    const session = this.sessions.get(connection)
    if (session) this.endTransaction(connection, session)
    return undefined
  }

  /** The answer where this plugin itself failed: 451 where unmetered mail could pass. Never throws. */
  failed(error: unknown, connection: Connection): Answer {
    try {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
      this.plugin.logcrit(connection, `internal error: ${text}`)
      const { main } = this.config()
      const transaction = this.sessions.get(connection)?.transaction
      if (!connection.relaying || transaction?.attribution.kind !== 'attributed') return undefined
      const overridden = main.override && modeInEffect(main, transaction.snapshot) !== 'enforce'
      return overridden ? undefined : REPLIES.undecidable
    } catch {
      return REPLIES.undecidable
    }
  }

  private sessionOf(connection: Connection): Session {
    let session = this.sessions.get(connection)
    if (!session) {
      session = new Session()
      this.sessions.set(connection, session)
    }
    return session
  }

  /** Begins the transaction where another plugin's OK kept this plugin's mail hook from running. */
  private transactionOf(connection: Connection, session: Session): Transaction | undefined {
    const { transaction: haraka } = connection
    if (!haraka) return undefined
    const { transaction } = session
    if (transaction?.haraka === haraka) return transaction
    this.endTransaction(connection, session)
    return session.begin(haraka)
  }

  private endTransaction(connection: Connection, session: Session): void {
    const transaction = session.end()
    if (!transaction) return
    if (transaction.unseen > 0 && connection.relaying) {
      this.charging.chargeUnseen(connection, transaction)
    }
    const { findingOwner } = transaction
    if (findingOwner) void this.recordAfter(findingOwner, connection, session, transaction)
    else this.recording.end(connection, session, transaction)
  }

  /** The owner of the sender domain decides the class that reports have. Never rejects. */
  private async recordAfter(
    finding: Promise<void>,
    ...ended: Parameters<Recording['end']>
  ): Promise<void> {
    await finding
    this.recording.end(...ended)
  }

  /** Decides one stage of a transaction: without waiting, where the tenant and the class of the sender are known. */
  private decide(
    stage: Stage,
    connection: Connection,
    session: Session,
    recipient?: HarakaAddress,
  ): Result {
    const transaction = this.transactionOf(connection, session)
    if (!transaction) return undefined
    // Registered mail is judged once: while what the judgement rests on is the same, its recipients pass too.
    if (
      transaction.passes(this.config()) &&
      connection.relaying &&
      this.senders.isUnchanged(connection, session)
    ) {
      return pass(stage, transaction)
    }
    const resolving = this.senders.resolveSender(connection, session, transaction)
    return resolving === undefined
      ? this.judge(stage, connection, transaction, recipient)
      : this.judgeAfter(resolving, stage, connection, transaction, recipient)
  }

  private judgeAfter(
    resolving: Promise<void>,
    ...question: Parameters<Hooks['judge']>
  ): Promise<Answer> {
    return resolving.then(() => this.judge(...question))
  }

  private judge(
    stage: Stage,
    connection: Connection,
    transaction: Transaction,
    recipient: HarakaAddress | undefined,
  ): Result {
    const config = this.config()
    if (config.main.override === 'off') return undefined
    const command = stage === 'rcpt_ok' && mayCount(transaction) ? transaction.offered() : undefined
    const judged = command ? counting(command, transaction) : recipient
    let judgement = this.judgementOf(stage, connection, transaction, judged)
    if (judgement.reason === 'registered') {
      transaction.markPassing(config)
      return pass(stage, transaction)
    }
    const mustKnowOwner = ownerDecides(config)
    if (
      judgement.verdict === 'charge' &&
      (stage === 'rcpt_ok' || (mustKnowOwner && stage === 'rcpt'))
    ) {
      const { sender } = transaction
      const finding = this.senders.resolveOwner(transaction)
      if (mustKnowOwner) {
        if (finding) return this.judgeAfter(finding, stage, connection, transaction, recipient)
        if (transaction.sender !== sender) {
          judgement = this.judgementOf(stage, connection, transaction, judged)
        }
      }
    }
    if (stage === 'rcpt_ok') {
      if (judgement.verdict === 'charge') {
        return this.charging.charge(connection, transaction, judgement.meter, command!)
      }
      this.reportUncharged(transaction, judgement)
    }
    const answer = this.answer(stage, connection, transaction, judgement)
    if (answer === undefined) {
      if (stage === 'rcpt_ok') transaction.passCommand()
    } else if (stage !== 'mail') {
      transaction.answerCommand(command ?? transaction.offered(), false)
    }
    return answer
  }

  private judgementOf(
    stage: Stage,
    { relaying }: Connection,
    { attribution, snapshot, sender }: Transaction,
    recipient: HarakaAddress | undefined,
  ): Judgement {
    const config = this.config()
    return judge({ stage, relaying, attribution, snapshot, sender, recipient, config })
  }

  /** Only at rcpt_ok: at other stages no recipient would have been counted. */
  private reportUncharged(transaction: Transaction, { verdict, reason }: Judgement): void {
    if (COUNTED.has(reason)) transaction.passUncharged()
    if (verdict === 'ignore') this.report.skip(transaction, reason)
    if (verdict === 'pass' && reason === 'tenant-unknown') {
      this.report.undecided(transaction, reason, verdict)
    }
  }

  private answer(
    stage: Stage,
    connection: Connection,
    transaction: Transaction,
    judgement: Judgement,
  ): Answer {
    if (judgement.verdict === 'refuse') {
      if (stage === 'mail') transaction.stopAtMail('refused')
      else transaction.refuse()
      this.report.refused(connection, transaction, judgement.reason)
      return judgement.reply
    }
    if (judgement.verdict === 'tempfail') {
      if (stage === 'mail') transaction.stopAtMail('deferred')
      else transaction.defer()
      this.report.undecided(transaction, judgement.reason, 'tempfail')
      return judgement.reply
    }
    return undefined
  }
}

async function grantAfter(
  attribution: Promise<Attribution>,
  connection: Connection,
  session: Session,
): Promise<undefined> {
  session.grantRelay(connection, await attribution)
}

/** Registered mail: nothing of it counts. */
function pass(stage: Stage, transaction: Transaction): undefined {
  if (stage !== 'rcpt_ok') return
  transaction.passUncharged()
  transaction.passCommand()
}

/** Recipients of registered mail, and of mail whose sender is unknown, do not count. */
function mayCount({ sender }: Transaction): boolean {
  return CLASSES[sender.class].meter !== undefined
}

/** The first recipient of a command that counts: its judgement applies to all of them. */
function counting(
  command: readonly EnvelopeRecipient[],
  { snapshot }: Transaction,
): EnvelopeRecipient | undefined {
  if (command.length === 1 || !snapshot) return command[0]
  return command.find((recipient) => !isOwn(recipient, snapshot)) ?? command[0]
}
