import { randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import type { Command } from 'commander'
import { readBacklogs } from '../../alerts/backlog'
import { HeldContacts, type HeldContact } from '../../alerts/held-contacts'
import { isOn, placeOf, type AlertConfig } from '../../alerts/channel-settings'
import { webhookPlace } from '../../alerts/settings'
import { settingsMark } from '../../alerts/test-alert'
import { count } from '../../base/count'
import { InputError } from '../../base/errors'
import { isoTime, shortTime } from '../../base/time'
import { EventStream } from '../../events/stream'
import { decideContacts } from '../../operations/contacts'
import type { Store } from '../../store/store'
import { serverTime } from '../../store/server-clock'
import { contextOf, type Context } from '../kit/context'
import type { Io } from '../kit/io'
import { groupManual, manual } from '../kit/manual'
import type { Output } from '../kit/output'
import { addSnooze, addUnsnooze } from './alert-snooze'

/** Haraka reads a changed ini file five seconds after its last change. In ms. */
const TAKES_EFFECT = 10_000
const POLL = 250

/** A channel that sends the test alert. */
interface Way {
  readonly name: string
  /** Where the alert should arrive. */
  readonly to: string
  /** Tells its settings apart. */
  readonly mark: string
}

interface TestOptions {
  readonly channel?: string
}

/** `tenantctl alert test | contacts | snooze | unsnooze` */
export function add(program: Command, io: Io): void {
  const alert = program.command('alert').description('alerts by webhook, mail, chat and pager')
  groupManual(alert, [
    'alert test',
    'alert contacts',
    'alert snooze contoso --kind allowance --for 14d --reason "newsletter"',
    'alert unsnooze contoso',
  ])
  addTest(alert, io)
  addContacts(alert, io)
  addSnooze(alert, io)
  addUnsnooze(alert, io)
}

function addContacts(alert: Command, io: Io): void {
  const command = alert
    .command('contacts')
    .description('contacts without mail, since more than ten tenants were restricted at once')
    .argument('[decision]', 'send or drop: the mail to all that wait')
    .action(async (word: string | undefined, _options: object, self: Command) => {
      const context = contextOf(io, self)
      const { out } = context
      if (word === undefined) {
        await context.connected(async (store) => {
          const held = await new HeldContacts(store).list()
          out.result(held.map(heldView), () => printHeld(out, held))
        })
        return
      }
      if (word !== 'send' && word !== 'drop') {
        throw new InputError(`"${word}" is no decision: give send or drop`)
      }
      await context.writing(async (store) => {
        const held = await new HeldContacts(store).list()
        const decided = await decideContacts(store, held, word)
        out.result({ decision: word, contacts: decided.map(heldView) }, () => {
          const contacts = count(decided.length, 'contact')
          if (word === 'drop') out.line(`${contacts}: no mail about this restriction or its end`)
          else out.line(`${contacts}: mailed within half a minute`)
        })
      })
    })
  manual(command, {
    examples: ['alert contacts', 'alert contacts drop', 'alert contacts send'],
    json: [
      'an array of {tenant, since, contact}: the contacts that wait, for 24 hours at most',
      'with a decision: decision: send | drop; contacts: the same array, of those decided about',
    ],
  })
}

function heldView({ tenant, since, address }: HeldContact): object {
  return { tenant, since: isoTime(since), contact: address }
}

function printHeld(out: Output, held: readonly HeldContact[]): void {
  out.table(
    ['TENANT', 'RESTRICTED', 'CONTACT'],
    held.map(({ tenant, since, address }) => [tenant, shortTime(since), address]),
    'no contact waits',
  )
  if (held.length > 0) out.line('tenantctl alert contacts send, or drop, decides')
}

function addTest(alert: Command, io: Io): void {
  const command = alert
    .command('test')
    .description('publish a test alert, to see whether it arrives by each channel')
    .option('--channel <name>', 'only by this one: webhook, mail, or the NAME of an [alert NAME]')
    .action(async ({ channel }: TestOptions, self: Command) => {
      const context = contextOf(io, self)
      const { by, out } = context
      const config = context.needed('alerts', 'alertChannels')
      const { alerts } = config
      const ways = chosen(waysOf(config), channel)
      await context.writing(async (store) => {
        const idle = await untilBegun(context, store, ways)
        const at = await serverTime(store.client)
        const event = {
          kind: 'test',
          id: `evt_${randomBytes(10).toString('hex')}`,
          at,
          by,
          // For a Haraka of a version that knows [alerts] only.
          settings: settingsMark(alerts),
          channels: Object.fromEntries(ways.map(({ name, mark }) => [name, mark])),
        } as const
        await new EventStream(store).publish('', event)
        const toOf = (way: string): string | null =>
          ways.find(({ name }) => name === way)?.to ?? null
        const view = {
          event: event.id,
          webhook: toOf('webhook'),
          mail_to: toOf('mail') === null ? [] : alerts.mailTo,
          channels: ways.map(({ name, to }) => ({ name, to })),
        }
        out.result(view, () => {
          out.line(`published ${event.id}`)
          for (const { name, to } of ways) out.line(`  ${name}: look at ${to}`)
          if (ways.length > 0) {
            out.line(
              '  Haraka logs "alert delivered", or "was not delivered" with the reason, within seconds',
            )
          }
        })
        if (ways.length === 0) {
          context.note(
            'neither webhook nor mail_to is set in [alerts], and there is no [alert NAME]: the alert is in tenantctl events only',
          )
        }
        for (const name of idle) {
          context.note(
            `no Haraka delivers alerts by ${name}: start it with this configuration, and try again`,
          )
        }
      })
    })
  manual(command, {
    examples: ['alert test', 'alert test --channel oncall'],
    json: [
      'event: its id, which is the webhook-id, and in the Message-ID of the mail',
      'webhook: where it is posted to, without the path, or null; mail_to: addresses',
      'channels: those that are tested, an array of name, to (without what may be secret)',
    ],
  })
}

function waysOf({ alerts, alertChannels }: AlertConfig): Way[] {
  const { webhook, mailTo } = alerts
  const mark = settingsMark(alerts)
  return [
    ...(webhook === '' ? [] : [{ name: 'webhook', to: webhookPlace(webhook), mark }]),
    ...(mailTo.length === 0 ? [] : [{ name: 'mail', to: mailTo.join(', '), mark }]),
    ...[...alertChannels]
      .filter(([, settings]) => isOn(settings))
      .map(([name, settings]) => ({ name, to: placeOf(settings), mark: settingsMark(settings) })),
  ]
}

/** @throws {InputError} there is no such channel. */
function chosen(ways: readonly Way[], channel: string | undefined): readonly Way[] {
  if (channel === undefined) return ways
  const names = ways.map(({ name }) => name)
  const way = ways.find(({ name }) => name === channel)
  if (way) return [way]
  const known = names.length === 0 ? 'the ini file sets none' : `there are ${names.join(', ')}`
  throw new InputError(`no channel "${channel}": ${known}`)
}

/** Waits for a Haraka that has just been given another ini file. @returns the channels that none delivers to even so. */
async function untilBegun(context: Context, store: Store, ways: readonly Way[]): Promise<string[]> {
  const until = performance.now() + TAKES_EFFECT
  let idle = await idleOf(store, ways)
  if (idle.length > 0) {
    context.note(`no Haraka delivers alerts by ${idle.join(' and ')} yet: waiting for one`)
  }
  while (idle.length > 0 && performance.now() < until) {
    await setTimeout(POLL)
    idle = await idleOf(store, ways)
  }
  return idle
}

/** Channels that no running Haraka delivers to. */
async function idleOf(store: Store, ways: readonly Way[]): Promise<string[]> {
  const known = new Set((await readBacklogs(store)).map(({ channel }) => channel))
  return ways.map(({ name }) => name).filter((name) => !known.has(name))
}
