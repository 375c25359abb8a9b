import constants from 'haraka-constants'
import type { Config } from '../../src/process/config'
import { within } from '../../src/base/deadline'
import { messageOf } from '../../src/base/errors'
import { addressText, type HarakaAddress } from '../../src/names/envelope'
import { REPLIES } from '../../src/decision/reply'
import { isSrs, type Sides } from '../../src/outbound/srs/address'
import { rewriteSender } from '../../src/outbound/srs/rewrite'
import { unwrap } from '../../src/outbound/srs/unwrap'
import { orElse, type Answer } from '../kit/guard'
import type { Connection, Outbound, Plugin, Transaction } from '../kit/haraka'
import { lineOf, Quiet } from '../kit/quiet'
import type { TransactionNote } from '../session/transaction'

/** How long Haraka may take to write a bounce into its queue, in ms; as long as its own hooks may take. */
const LONGEST_QUEUEING = 30_000

/** What of a transaction is changed here. Its recipients stay in their places: who counts them goes by these. */
interface Envelope {
  mail_from: HarakaAddress
  readonly rcpt_to: HarakaAddress[]
}

/** Why a sender stays what it is, for the log. `own`: there is nothing to say. */
const STAYS = {
  'not-plain': 'its local part needs quotes or SMTPUTF8, which not every server takes',
  'too-long': 'the rewritten one would be longer than the 64 octets that servers must take',
} as const

/**
 * The Sender Rewriting Scheme in Haraka: forwards leave with a sender in a domain of ours, and bounces to such senders go
 * on to the real one, by Haraka's outbound.
 *
 * No session relays because of that. A recipient is accepted by its hash alone, for itself alone; what it stands for is
 * kept with its address object, and takes its place when all recipients are known: in `queue`, where a transaction
 * that does not relay ends, such recipients only are handed to outbound. The next recipient is judged as any other.
 */
export class Srs {
  /** What the recipients of bounces stand for, by Haraka's address object: nothing else can come by it. */
  private readonly real = new WeakMap<HarakaAddress, HarakaAddress>()
  /** Transactions with such recipients. */
  private readonly returning = new WeakSet<Transaction>()
  private readonly staying: Quiet

  /**
   * @param config the configuration in force.
   * @param now in ms.
   */
  constructor(
    private readonly plugin: Plugin,
    private readonly config: () => Config,
    private readonly now: () => number = Date.now,
  ) {
    this.staying = new Quiet((text, repeats) => plugin.lognotice(lineOf(text, repeats)))
  }

  /** rcpt, where nothing else of ours refuses the recipient. */
  rcptAfter(
    answer: Answer | Promise<Answer>,
    connection: Connection,
    params: readonly [HarakaAddress],
  ): Answer | Promise<Answer> {
    if (this.config().srs.domain === '') return answer
    return orElse(answer, () => this.rcpt(connection, params))
  }

  /**
   * queue: a transaction that does not relay, to rewritten senders and nobody else, goes to outbound. Where a plugin has
   * put others in, it goes nowhere: they may be nobody's business here.
   */
  queue({ transaction }: Connection): Answer | Promise<Answer> {
    if (!transaction || !this.returning.has(transaction)) return undefined
    const recipients = recipientsOf(transaction)
    const known = recipients.filter((recipient) => this.real.has(recipient)).length
    if (known === 0) return undefined
    if (known < recipients.length) return REPLIES.srsAlone
    this.sendBack(recipients)
    return this.toOutbound(transaction)
  }

  /** queue_outbound: forwards get their sender; what a tenant bounces to a rewritten sender goes on to the real one. */
  queueOutbound(connection: Connection): undefined {
    const { transaction } = connection
    if (!transaction) return
    if (this.returning.has(transaction)) this.sendBack(recipientsOf(transaction))
    const { srs } = this.config()
    if (srs.domain === '' || !isForwarded(transaction)) return
    const sender = transaction.mail_from
    if (sender.isNull()) return
    const rewritten = rewriteSender(sidesOf(sender), srs, this.now())
    if ('to' in rewritten) {
      ;(transaction as unknown as Envelope).mail_from = addressLike(sender, rewritten.to)
      transaction.results.add(this.plugin, { srs: textOf(rewritten.to) })
      this.plugin.loginfo(connection, 'srs', {
        sender: addressText(sender),
        rewritten: textOf(rewritten.to),
      })
    } else if (rewritten.stays !== 'own') {
      const { stays } = rewritten
      this.staying.say(stays, `srs: ${addressText(sender)} leaves as it is: ${STAYS[stays]}`)
    }
  }

  /**
   * pre_send_trans_email: what Haraka itself bounces never comes by SMTP, and its outbound would not even connect to its
   * own MX (hmail.js, local_mx_ok). It goes to the real sender at once.
   */
  beforeOutbound({ transaction }: Pick<Connection, 'transaction'>): undefined {
    const { srs } = this.config()
    if (srs.domain === '' || !transaction?.mail_from.isNull()) return
    const recipients = recipientsOf(transaction)
    for (const recipient of recipients) {
      const user = srsUser(recipient, srs.domain)
      const found = user === undefined ? undefined : unwrap(user, srs, this.now())
      if (found && 'to' in found) this.real.set(recipient, addressLike(recipient, found.to))
    }
    this.sendBack(recipients)
  }

  private rcpt(connection: Connection, [recipient]: readonly [HarakaAddress]): Answer {
    const { srs } = this.config()
    const { transaction, relaying } = connection
    if (!transaction) return undefined
    const user = srsUser(recipient, srs.domain)
    // A relaying session may send to anybody anyhow.
    const kept = relaying || !this.returning.has(transaction) ? undefined : transaction
    if (user === undefined) {
      return kept && this.hasReturning(kept) ? REPLIES.srsAlone : undefined
    }
    if (!transaction.mail_from.isNull()) return REPLIES.srsOnlyBounces
    const found = unwrap(user, srs, this.now())
    if ('refused' in found) {
      return found.refused === 'expired' ? REPLIES.srsExpired : REPLIES.srsUnknown
    }
    if (!relaying && this.hasOthers(transaction, recipient)) return REPLIES.srsAlone
    this.real.set(recipient, addressLike(recipient, found.to))
    this.returning.add(transaction)
    transaction.results.add(this.plugin, { pass: 'srs' })
    // Of those that relay others may have something to say; they are accepted without an OK.
    return relaying ? undefined : 'ok'
  }

  private hasReturning(transaction: Transaction): boolean {
    return recipientsOf(transaction).some((each) => this.real.has(each))
  }

  private hasOthers(transaction: Transaction, recipient: HarakaAddress): boolean {
    return recipientsOf(transaction).some((each) => each !== recipient && !this.real.has(each))
  }

  private sendBack(recipients: HarakaAddress[]): void {
    recipients.forEach((recipient, at) => {
      const real = this.real.get(recipient)
      if (!real) return
      recipients[at] = real
      this.plugin.loginfo('srs-bounce', {
        rewritten: addressText(recipient),
        to: addressText(real),
      })
    })
  }

  private async toOutbound(transaction: Transaction): Promise<Answer> {
    const outbound = this.plugin.haraka_require('outbound') as Outbound
    const queued = new Promise<Answer>((resolve) => {
      outbound.send_trans_email(transaction, (code, message) => {
        if (code === constants.ok) return resolve('ok')
        this.plugin.logerror(`srs: a bounce was not queued: ${messageOf(message)}`)
        resolve(REPLIES.undecidable)
      })
    })
    return within(LONGEST_QUEUEING, queued)
  }
}

/** As long as nobody has shown that it is a forward, its sender is its own affair. */
function isForwarded({ notes }: Transaction): boolean {
  const note = notes['unregistered_domain'] as TransactionNote | undefined
  return note?.class === 'forwarded'
}

function recipientsOf(transaction: Transaction): HarakaAddress[] {
  return (transaction as unknown as Envelope).rcpt_to
}

/** The local part of an address in the SRS domain that has the shape of an SRS address; quotes change nothing in it. */
function srsUser(recipient: HarakaAddress, domain: string): string | undefined {
  if (String(recipient.host ?? '') !== domain) return undefined
  const { user } = sidesOf(recipient)
  const bare = user.startsWith('"') ? user.slice(1, -1).replace(/\\(.)/g, '$1') : user
  return isSrs(bare) ? bare : undefined
}

function sidesOf(address: HarakaAddress): Sides {
  const text = addressText(address)
  return { user: text.slice(0, text.lastIndexOf('@')), domain: String(address.host ?? '') }
}

function textOf({ user, domain }: Sides): string {
  return `${user}@${domain}`
}

/** Of the class that this Haraka uses, which changes with its version: by the constructor of one that is there. */
function addressLike(address: HarakaAddress, sides: Sides): HarakaAddress {
  const Address = address.constructor as new (path: string) => HarakaAddress
  return new Address(`<${textOf(sides)}>`)
}
