import constants from 'haraka-constants'
import type { Config } from '../../src/process/config'
import { within } from '../../src/base/deadline'
import { messageOf } from '../../src/base/errors'
import { addressText, type HarakaAddress } from '../../src/names/envelope'
import { REPLIES } from '../../src/decision/reply'
import { queuedNote } from '../../src/outbound/note'
import { isSrs, type Sides } from '../../src/outbound/srs/address'
import { rewriteSender } from '../../src/outbound/srs/rewrite'
import { unwrap } from '../../src/outbound/srs/unwrap'
import type { Answer } from '../kit/guard'
import type { Connection, HarakaTransaction, Outbound, Plugin } from '../kit/haraka'
import { type LogOnce, logTextOnce } from '../kit/log'
import { CLASSES } from '../../src/mail/classes'

/** How long Haraka may take to write a bounce into its queue, in ms: as long as its own hooks may take. */
const LONGEST_QUEUEING = 30_000

/** What this plugin changes of a transaction. Recipients keep their places: counting depends on them. */
interface Envelope {
  mail_from: HarakaAddress
  readonly rcpt_to: HarakaAddress[]
}

/** Why a sender is not rewritten, for the log. `own`: not logged. */
const STAYS = {
  'not-plain': 'its local part needs quotes or SMTPUTF8, which not every server takes',
  'too-long': 'the rewritten one would be longer than the 64 octets that servers must take',
} as const

/**
 * The Sender Rewriting Scheme in Haraka: forwards leave with a sender in the SRS domain, and bounces to such a sender go
 * on to the original sender, by Haraka's outbound queue.
 *
 * No session may relay because of that. The hash of a recipient accepts that recipient only. Its original address is
 * kept with its address object and replaces it when all recipients are known: in `queue`, where a transaction of a
 * session that does not relay ends. Only such recipients are handed to outbound; all others are judged as usual.
 */
export class Srs {
  /** The original senders, by Haraka's address object of the SRS recipient: no other recipient can have one. */
  private readonly originals = new WeakMap<HarakaAddress, HarakaAddress>()
  /** Transactions with such recipients. */
  private readonly bounces = new WeakSet<HarakaTransaction>()
  private readonly log: LogOnce

  /**
   * @param config the configuration in effect.
   * @param now in ms.
   */
  constructor(
    private readonly plugin: Plugin,
    private readonly config: () => Config,
    private readonly now: () => number = Date.now,
  ) {
    this.log = logTextOnce((line) => plugin.lognotice(line))
  }

  /**
   * queue: a transaction of a session that does not relay goes to outbound if all its recipients are SRS addresses. Where
   * another plugin has added recipients, it is refused: Haraka might not accept mail for them.
   */
  queue({ transaction }: Connection): Answer | Promise<Answer> {
    if (!transaction || !this.bounces.has(transaction)) return undefined
    const recipients = recipientsOf(transaction)
    const known = recipients.filter((recipient) => this.originals.has(recipient)).length
    if (known === 0) return undefined
    if (known < recipients.length) return REPLIES.srsAlone
    this.sendBack(recipients)
    return this.toOutbound(transaction)
  }

  /** queue_outbound: rewrites the sender of forwards, and the recipients of bounces that a tenant sends to SRS addresses. */
  queueOutbound(connection: Connection): undefined {
    const { transaction } = connection
    if (!transaction) return
    if (this.bounces.has(transaction)) this.sendBack(recipientsOf(transaction))
    const { srs } = this.config()
    if (srs.domain === '' || !isRewritten(transaction)) return
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
      this.log.say(stays, `srs: ${addressText(sender)} leaves as it is: ${STAYS[stays]}`)
    }
  }

  /**
   * pre_send_trans_email: Haraka's own bounces never come by SMTP, and its outbound queue does not connect to its own MX
   * (hmail.js, local_mx_ok). They go to the original sender directly.
   */
  beforeOutbound({ transaction }: Pick<Connection, 'transaction'>): undefined {
    const { srs } = this.config()
    if (srs.domain === '' || !transaction?.mail_from.isNull()) return
    const recipients = recipientsOf(transaction)
    for (const recipient of recipients) {
      const user = srsUser(recipient, srs.domain)
      const found = user === undefined ? undefined : unwrap(user, srs, this.now())
      if (found && 'to' in found) this.originals.set(recipient, addressLike(recipient, found.to))
    }
    this.sendBack(recipients)
  }

  /** rcpt, where no other check of this plugin refuses the recipient. */
  rcpt(connection: Connection, [recipient]: readonly [HarakaAddress]): Answer {
    const { srs } = this.config()
    const { transaction, relaying } = connection
    if (!transaction || srs.domain === '') return undefined
    const user = srsUser(recipient, srs.domain)
    // A relaying session may send to any address.
    const kept = relaying || !this.bounces.has(transaction) ? undefined : transaction
    if (user === undefined) {
      return kept && this.hasSrs(kept) ? REPLIES.srsAlone : undefined
    }
    if (!transaction.mail_from.isNull()) return REPLIES.srsOnlyBounces
    const found = unwrap(user, srs, this.now())
    if ('refused' in found) {
      return found.refused === 'expired' ? REPLIES.srsExpired : REPLIES.srsUnknown
    }
    if (!relaying && this.hasOthers(transaction, recipient)) return REPLIES.srsAlone
    this.originals.set(recipient, addressLike(recipient, found.to))
    this.bounces.add(transaction)
    transaction.results.add(this.plugin, { pass: 'srs' })
    // In a relaying session Haraka accepts the recipient without an OK, and other plugins may still refuse it.
    return relaying ? undefined : 'ok'
  }

  private hasSrs(transaction: HarakaTransaction): boolean {
    return recipientsOf(transaction).some((each) => this.originals.has(each))
  }

  private hasOthers(transaction: HarakaTransaction, recipient: HarakaAddress): boolean {
    return recipientsOf(transaction).some((each) => each !== recipient && !this.originals.has(each))
  }

  private sendBack(recipients: HarakaAddress[]): void {
    recipients.forEach((recipient, at) => {
      const original = this.originals.get(recipient)
      if (!original) return
      recipients[at] = original
      this.plugin.loginfo('srs-bounce', {
        rewritten: addressText(recipient),
        to: addressText(original),
      })
    })
  }

  private async toOutbound(transaction: HarakaTransaction): Promise<Answer> {
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

function isRewritten({ notes }: HarakaTransaction): boolean {
  const note = queuedNote(notes)
  return note !== undefined && CLASSES[note.class].queue.rewritten
}

function recipientsOf(transaction: HarakaTransaction): HarakaAddress[] {
  return (transaction as unknown as Envelope).rcpt_to
}

/** The local part, without quotes, of an address in the SRS domain that looks like an SRS address. */
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

/** An address of the class that this version of Haraka uses: by the constructor of another address. */
function addressLike(address: HarakaAddress, sides: Sides): HarakaAddress {
  const Address = address.constructor as new (path: string) => HarakaAddress
  return new Address(`<${textOf(sides)}>`)
}
