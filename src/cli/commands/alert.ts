import { randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import type { Command } from 'commander'
import { readBacklogs } from '../../alerts/backlog'
import { webhookPlace, type AlertSettings } from '../../alerts/settings'
import { settingsMark } from '../../alerts/test-alert'
import { EventStream } from '../../events/stream'
import type { Store } from '../../store/store'
import { serverTime } from '../../store/server-clock'
import { contextOf, type Context } from '../kit/context'
import type { Io } from '../kit/io'
import { groupManual, manual } from '../kit/manual'

/** Haraka reads a changed ini file five seconds after its last change. In ms. */
const TAKES_EFFECT = 10_000
const POLL = 250

/** A channel that sends the test alert. */
interface Way {
  readonly name: 'webhook' | 'mail'
  /** Where the alert should arrive. */
  readonly to: string
}

/** `tenantctl alert test` */
export function add(program: Command, io: Io): void {
  const alert = program.command('alert').description('alerts by webhook and mail')
  groupManual(alert, ['alert test'])
  addTest(alert, io)
}

function addTest(alert: Command, io: Io): void {
  const command = alert
    .command('test')
    .description('publish a test alert, to see whether webhook and mail arrive')
    .action(async (_options: object, self: Command) => {
      const context = contextOf(io, self)
      const { by, out } = context
      const { alerts } = context.needed('alerts')
      await context.writing(async (store) => {
        const ways = waysOf(alerts)
        const idle = await untilBegun(context, store, ways)
        const at = await serverTime(store.client)
        const event = {
          kind: 'test',
          id: `evt_${randomBytes(10).toString('hex')}`,
          at,
          by,
          settings: settingsMark(alerts),
        } as const
        await new EventStream(store).publish('', event)
        const webhook = ways.find(({ name }) => name === 'webhook')?.to ?? null
        out.result({ event: event.id, webhook, mail_to: alerts.mailTo }, () => {
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
            'neither webhook nor mail_to is set in [alerts]: the alert is in tenantctl events only',
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
    examples: ['alert test'],
    json: [
      'event: its id, which is the webhook-id, and in the Message-ID of the mail',
      'webhook: where it is posted to, without the path, or null; mail_to: addresses',
    ],
  })
}

function waysOf({ webhook, mailTo }: AlertSettings): Way[] {
  return [
    ...(webhook === '' ? [] : [{ name: 'webhook', to: webhookPlace(webhook) } as const]),
    ...(mailTo.length === 0 ? [] : [{ name: 'mail', to: mailTo.join(', ') } as const]),
  ]
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
