import { stat } from 'node:fs/promises'
import type { Config } from '../../src/process/config'
import { within } from '../../src/base/deadline'
import { DROPPABLE, queuedNote, type QueuedNote } from '../../src/outbound/note'
import { codeOf } from '../../src/outbound/tenant-queue'
import type { Engine } from '../../src/process/engine'
import { isHeld, queuedClass } from '../../src/decision/held'
import { passesUncounted } from '../../src/decision/outcome'
import { LONGEST_ID } from '../../src/mail/identities'
import type { Known } from '../../src/directory/snapshot'
import type { HMail, Plugin } from '../kit/haraka'
import type { OutboundAnswer } from './outbound-guard'
import { Pace } from './pace'
import { Quiet } from '../kit/quiet'

/** How long one message waits for its tenant, or for the file system, in ms. */
const DEADLINE = 5000
/** After a start nothing is known for a moment, and Haraka begins with its queue at once, in ms. */
const STARTING = 30_000
const SOON = 2
/** Held mail is looked at again after so long, in ms; of more than 2,000 messages, later. */
const AGAIN = 10_000
/** Between two looks, in ms: many thousands must neither come back at once nor keep the process busy. */
const APART = 5

/**
 * Whether a message may leave the queue: with `[restriction] queued=hold` mail of a restricted tenant waits, and what an
 * operator has dropped goes nowhere.
 *
 * A DELAY costs a message nothing: Haraka neither counts a failure nor renames the file, so that no bounce follows however
 * long it lasts, and after a restart it is asked about at once (`outbound/hmail.js`, `send_email_respond`).
 */
export class HeldQueue {
  private readonly pace = new Pace(AGAIN, APART)
  private readonly told: Quiet<{ readonly tenant: string; readonly class: string }>

  constructor(
    private readonly plugin: Plugin,
    private readonly config: () => Config,
    private readonly engine: () => Engine | undefined,
  ) {
    this.told = new Quiet((held, repeats) =>
      plugin.lognotice(
        'held',
        repeats === 0 ? held : { tenant: held.tenant, count: repeats, seconds: 60 },
      ),
    )
  }

  sendEmail(hmail: HMail): OutboundAnswer | Promise<OutboundAnswer> {
    const note = queuedNote(hmail.todo.notes)
    if (!note) return undefined
    if (!DROPPABLE.has(note.class)) return this.look(note, hmail)
    return isThere(note, hmail).then((there) => {
      if (there) return this.look(note, hmail)
      const { tenant, class: noted } = note
      this.plugin.loginfo('dropped', { tenant, class: String(noted), file: hmail.filename })
      return { discard: true }
    })
  }

  private look(note: QueuedNote, hmail: HMail): OutboundAnswer | Promise<OutboundAnswer> {
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
    if (config.main.override) return undefined
    // A restricted tenant cannot be removed.
    if (snapshot === null) return undefined
    if (snapshot === undefined) return this.undecided(note, config)
    const senderClass = queuedClass(note.class, hmail.todo.mail_from, snapshot)
    if (!isHeld(senderClass, snapshot, config)) return undefined
    const tenant = note.tenant.slice(0, LONGEST_ID)
    this.told.say(tenant, { tenant, class: senderClass ?? 'unknown' })
    return { delay: this.pace.next(performance.now()) / 1000 }
  }

  /** Held mail can be delivered later, and delivered mail cannot be held: so it is as for mail that comes now. */
  private undecided(note: QueuedNote, config: Config): OutboundAnswer {
    if (process.uptime() * 1000 < STARTING) return { delay: SOON }
    if (note.class === 'registered' || passesUncounted(undefined, config)) return undefined
    return { delay: this.pace.next(performance.now()) / 1000 }
  }
}

/** Whether the queue still has the message that Haraka has read from there. */
async function isThere({ dropped }: QueuedNote, hmail: HMail): Promise<boolean> {
  if (dropped) return false
  try {
    const { size } = await within(DEADLINE, stat(hmail.path))
    return size === hmail.file_size
  } catch (error) {
    return codeOf(error) !== 'ENOENT'
  }
}
