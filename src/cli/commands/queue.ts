import { hostname } from 'node:os'
import { Argument, type Command } from 'commander'
import { addEntry } from '../../records/audit-trail'
import type { Config } from '../../process/config'
import { InputError, noSuchTenant } from '../../base/errors'
import { queueDirectory } from '../../config/haraka-files'
import { dropMail } from '../../outbound/drop'
import { DROPPABLE } from '../../outbound/note'
import { readTenantQueue, type QueuedMail, type TenantQueue } from '../../outbound/tenant-queue'
import { isHeld, queuedClass } from '../../decision/held'
import type { Store } from '../../store/store'
import { assertTenantId } from '../../mail/identities'
import type { Snapshot } from '../../directory/snapshot'
import { readSnapshot } from '../../directory/snapshot-reader'
import { contextOf, type Context } from '../kit/context'
import type { Io } from '../kit/io'
import { manual } from '../kit/manual'
import { count } from '../kit/output'
import { nextAttempt, printQueue, queuedView } from '../views/queue'
import { NO_TENANT } from '../kit/statuses'

interface QueueOptions {
  readonly yes?: boolean
}

/** Whether mail of a class waits for the lift. */
type Holds = (mail: QueuedMail) => boolean

/** `tenantctl queue` */
export function addQueueCommand(program: Command, io: Io): void {
  const command = program
    .command('queue')
    .description(
      "a tenant's mail in Haraka's queue on this host: show it, or remove what is unregistered",
    )
    .argument('<tenant>')
    .addArgument(
      new Argument(
        '[action]',
        'list: by class, oldest first; drop: remove unregistered and foreign mail whose domain is still not registered',
      )
        .choices(['list', 'drop'])
        .default('list'),
    )
    .option('--yes', 'drop without a question')
    .action(async (tenant: string, action: string, options: QueueOptions, self: Command) => {
      const context = contextOf(io, self)
      assertTenantId(tenant)
      const directory = queueOf(context)
      if (action === 'list') await list(context, directory, tenant)
      else await drop(context, directory, tenant, options.yes === true)
    })
  manual(command, {
    examples: [
      'queue contoso',
      "queue contoso list --json | jq -r '.[] | select(.held) | .recipients[]'",
      'queue contoso drop',
      'queue contoso drop --yes',
    ],
    json: [
      'list: an array of:',
      'file: its name in the queue directory; class: registered | unregistered | foreign | forwarded | null (the string); null: not known',
      '  as when it came, or registered where its domain has been registered since',
      'connector: tenant/name, or null; sender: empty for the null sender; recipients: array',
      'size: octets of the message; arrived, next_attempt; failures: deliveries that failed',
      'held: it waits until the restriction is lifted',
      'drop: {result: dropped | unchanged | kept (the answer was no), tenant, host, messages, recipients, missed}',
      'missed: messages that were delivered, or given up, before they could be removed',
    ],
    exit: NO_TENANT,
  })
}

async function list(context: Context, directory: string, tenant: string): Promise<void> {
  const { out } = context
  await context.connected(async (store, config) => {
    const { mail, holds } = await find(context, { store, config, directory, tenant })
    out.result(
      mail.map((each) => queuedView(each, holds(each))),
      () => {
        printQueue(out, mail, holds, `${directory} holds no mail of ${tenant}`)
        const held = mail.filter(holds).length
        if (held > 0) {
          out.line()
          out.line(
            `${count(held, 'message')} of ${mail.length.toLocaleString('en-US')} held until the restriction of ${tenant} is lifted`,
          )
        }
      },
    )
  })
}

async function drop(
  context: Context,
  directory: string,
  tenant: string,
  isSure: boolean,
): Promise<void> {
  const { out, io } = context
  if (!isSure && !io.asks) {
    throw new InputError(
      'drop asks before it removes anything, and there is no terminal to ask at: give --yes',
    )
  }
  const host = hostname()
  await context.writing(async (store, config) => {
    const { mail, holds } = await find(context, { store, config, directory, tenant })
    const shown = mail.filter(isUnwanted)
    const result = (name: string, of: readonly QueuedMail[], missed = 0): object => ({
      ...{ result: name, tenant, host, messages: of.length, recipients: recipientsOf(of), missed },
    })
    if (shown.length === 0) {
      out.result(result('unchanged', []), () =>
        out.line(`${directory} holds no unregistered mail of ${tenant}`),
      )
      return
    }
    if (!isSure) {
      if (!out.json) printQueue(out, shown, holds, '')
      const what = `${count(shown.length, 'message')} for ${count(recipientsOf(shown), 'recipient')}`
      if (!(await context.confirmed(`Remove ${what}, for good? Nobody gets a bounce. [y/N] `))) {
        out.result(result('kept', []), () => out.line('nothing was removed'))
        return
      }
    }
    // A person may think it over for long, and another register a domain.
    const now = asOfNow(shown, await readSnapshot(store, tenant, undefined))
    const unwanted = now.filter(isUnwanted)
    if (unwanted.length < shown.length) {
      const stays = count(shown.length - unwanted.length, 'message')
      context.note(`not removed, since the domain has been registered meanwhile: ${stays}`)
    }
    if (unwanted.length > 0) {
      const to = `${count(unwanted.length, 'message')} for ${count(recipientsOf(unwanted), 'recipient')} on ${host}`
      // Before it is done: there is no change without its entry.
      const entry = { subject: tenant, what: 'queue dropped', to }
      await addEntry(store, store.keys.audit(tenant), entry)
    }
    const { dropped, missed } = await dropMail(directory, unwanted)
    out.result(result('dropped', dropped, missed.length), () => {
      out.line(
        `removed ${count(dropped.length, 'message')} of ${tenant} for ${count(recipientsOf(dropped), 'recipient')} from the queue of ${host}`,
      )
      if (missed.length > 0) {
        out.line(`${count(missed.length, 'message')} had left the queue before that`)
      }
    })
    const due = dropped.filter((each) => !holds(each) && nextAttempt(each) === 'now').length
    if (due > 0) {
      context.note(
        `${count(due, 'message')} may have been on the way already: mail is held only with [restriction] queued=hold and while the tenant is restricted`,
      )
    }
  })
}

/** @throws {NotFoundError} neither the registry nor the queue knows the tenant. */
async function find(
  context: Context,
  place: { store: Store; config: Config; directory: string; tenant: string },
): Promise<Pick<TenantQueue, 'mail'> & { holds: Holds }> {
  const { store, config, directory, tenant } = place
  const [snapshot, { mail, unreadable }] = await Promise.all([
    readSnapshot(store, tenant, undefined),
    readTenantQueue(directory, tenant),
  ])
  if (!snapshot && mail.length === 0) throw noSuchTenant(tenant)
  if (unreadable.length > 0) {
    context.note(
      `${count(unreadable.length, 'file')} in ${directory} cannot be understood, such as ${unreadable[0]}`,
    )
  }
  return {
    mail: asOfNow(mail, snapshot),
    holds: (each) => snapshot !== undefined && isHeld(each.class, snapshot, config),
  }
}

/** With the classes of now; of a tenant that does not exist any more, with those of then. */
function asOfNow(mail: readonly QueuedMail[], snapshot: Snapshot | undefined): QueuedMail[] {
  return mail.map((each) => ({
    ...each,
    class: snapshot ? queuedClass(each.class, each.from, snapshot) : each.class,
  }))
}

function isUnwanted(mail: QueuedMail): boolean {
  return DROPPABLE.has(mail.class)
}

/** @throws {InputError} with `--redis` alone: the queue is beside the config directory. */
function queueOf(context: Context): string {
  const directory = context.configDirectory
  if (directory !== undefined) return queueDirectory(directory)
  throw new InputError(
    "the queue is a folder of a Haraka on this host: name Haraka's config directory with --config DIR",
  )
}

function recipientsOf(mail: readonly QueuedMail[]): number {
  return mail.reduce((sum, { recipients }) => sum + recipients.length, 0)
}
