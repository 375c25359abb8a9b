import { stat } from 'node:fs/promises'
import type { Config } from '../../src/process/config'
import { within } from '../../src/base/deadline'
import { queuedNote, type QueuedNote } from '../../src/outbound/note'
import { codeOf } from '../../src/outbound/tenant-queue'
import type { Engine } from '../../src/process/engine'
import { queuedClass } from '../../src/decision/classify'
import { isHeld, modeOfQueued } from '../../src/decision/held'
import { CLASSES } from '../../src/mail/classes'
import { LONGEST_ID } from '../../src/mail/identities'
import type { Known } from '../../src/directory/snapshot'
import type { OutboundAnswer } from '../kit/guard'
import type { HMail, Plugin } from '../kit/haraka'
import { LogOnce } from '../kit/log'

/** How long a message waits for the data of its tenant, or for the file system, in ms. */
const DEADLINE = 5000
/** After a start Haraka works on its queue at once, before this process has loaded any tenant, in ms. */
const STARTING = 30_000
/** In s. */
const SOON = 2
/** A held message is checked again after this long; later where there are more than 2,000, in ms. */
const AGAIN = 10_000
/** Least time between two checks, in ms: many thousands of messages must neither return at once nor load the process. */
const APART = 5

/**
 * Decides whether a message may leave the queue. Mail of a restricted tenant waits, unless `[restriction]
 * queued=deliver`, and mail that an operator has dropped is not sent.
 *
 * DELAY costs a message nothing: Haraka neither counts a failure nor renames the file. So no bounce follows however long
 * the mail is held, and after a restart Haraka asks again at once (`outbound/hmail.js`, `send_email_respond`).
 */
export class HeldQueue {
  private readonly delays = new Delays(AGAIN, APART)
  private readonly log: LogOnce<{ readonly tenant: string; readonly class: string }>

  constructor(
    private readonly plugin: Plugin,
    private readonly config: () => Config,
    private readonly engine: () => Engine | undefined,
  ) {
    this.log = new LogOnce((held, repeats) =>
      plugin.lognotice(
        'held',
        repeats === 0 ? held : { tenant: held.tenant, count: repeats, seconds: 60 },
      ),
    )
  }

  sendEmail(hmail: HMail): OutboundAnswer | Promise<OutboundAnswer> {
    const note = queuedNote(hmail.todo.notes)
    if (!note) return undefined
    if (!CLASSES[note.class].queue.droppable) return this.check(note, hmail)
    return isInQueue(note, hmail).then((inQueue) => {
      if (inQueue) return this.check(note, hmail)
      const { tenant, class: noted } = note
      this.plugin.loginfo('dropped', { tenant, class: noted, file: hmail.filename })
      return { discard: hmail }
    })
  }

  private check(note: QueuedNote, hmail: HMail): OutboundAnswer | Promise<OutboundAnswer> {
    if (this.config().restriction.queued !== 'hold') return undefined
    const directory = this.engine()?.directory
    const known = directory?.peek(note.tenant)
    if (known || !directory) return this.decide(note, hmail, known)
    return within(DEADLINE, directory.load(note.tenant)).then(
      (loaded) => this.decide(note, hmail, loaded ?? null),
      () => this.decide(note, hmail, undefined),
    )
  }

  private decide(note: QueuedNote, hmail: HMail, snapshot: Known): OutboundAnswer {
    const config = this.config()
    if (config.main.override && config.main.override !== 'pause') return undefined
    // A restricted tenant cannot be removed.
    if (snapshot === null) return undefined
    const { queue_time: queuedAt, mail_from: from } = hmail.todo
    if (snapshot === undefined) return this.undecided(note, queuedAt, config)
    if (snapshot.restricted === undefined) return undefined
    const mailClass = queuedClass(note.class, from, snapshot)
    if (!isHeld(mailClass, snapshot, queuedAt, config)) return undefined
    const tenant = note.tenant.slice(0, LONGEST_ID)
    this.log.say(tenant, { tenant, class: mailClass })
    return this.hold()
  }

  /** Held mail can be delivered later, delivered mail cannot be held. So the setting for new mail applies. */
  private undecided(note: QueuedNote, queuedAt: number, { main, outage }: Config): OutboundAnswer {
    if (process.uptime() * 1000 < STARTING) return { delay: SOON }
    const passes =
      outage.unregistered === 'accept' || modeOfQueued(main, undefined, queuedAt) !== 'enforce'
    if (CLASSES[note.class].passes || passes) return undefined
    return this.hold()
  }

  private hold(): OutboundAnswer {
    const now = performance.now()
    const delay = this.delays.next(now)
    this.engine()?.held.add(now + delay)
    return { delay: delay / 1000 }
  }
}

/** Whether the queue still holds the message that Haraka read from it. */
async function isInQueue({ dropped }: QueuedNote, hmail: HMail): Promise<boolean> {
  if (dropped) return false
  try {
    const { size } = await within(DEADLINE, stat(hmail.path))
    return size === hmail.file_size
  } catch (error) {
    return codeOf(error) !== 'ENOENT'
  }
}

/**
 * The delay of each of many messages: a least wait, and a distance to the one before. Delays never end before an earlier
 * one, since Haraka's timer queue appends the latest and searches from its beginning for the place of any other.
 */
export class Delays {
  private last = 0

  /**
   * @param wait the least wait, in ms.
   * @param apart from one message to the next, in ms.
   */
  constructor(
    private readonly wait: number,
    private readonly apart: number,
  ) {}

  /**
   * How long the next message waits, in ms.
   *
   * @param now of a monotonic clock: setting the wall clock must not prolong a delay.
   */
  next(now: number): number {
    this.last = Math.max(now + this.wait, this.last + this.apart)
    return this.last - now
  }
}
