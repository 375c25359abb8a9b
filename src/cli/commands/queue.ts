import { hostname } from 'node:os'
import { Argument, type Command } from 'commander'
import { count } from '../../base/count'
import { InputError } from '../../base/errors'
import { queueDirectory } from '../../config/haraka-files'
import { assertTenantId } from '../../mail/identities'
import {
  amountOf,
  dropFromQueue,
  readQueue,
  recipientsOf,
  type Queued,
} from '../../operations/queue'
import type { Config } from '../../process/config'
import type { Store } from '../../store/store'
import { contextOf, type Context } from '../kit/context'
import type { Io } from '../kit/io'
import { manual } from '../kit/manual'
import { NO_TENANT } from '../kit/statuses'
import { nextAttempt, printQueue, queuedView } from '../views/queue'

interface QueueOptions {
  readonly yes?: boolean
}

/** `tenantctl queue` */
export function add(program: Command, io: Io): void {
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
    const mail = await find(context, { store, config, directory, tenant })
    out.result(mail.map(queuedView), () => {
      printQueue(out, mail, `${directory} holds no mail of ${tenant}`)
      const held = mail.filter((each) => each.held).length
      if (held > 0) {
        out.line()
        out.line(
          `${count(held, 'message')} of ${mail.length.toLocaleString('en-US')} held until the restriction of ${tenant} is lifted`,
        )
      }
    })
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
    const mail = await find(context, { store, config, directory, tenant })
    const shown = mail.filter(({ droppable }) => droppable)
    const result = (name: string, of: readonly Queued[], missed = 0): object => ({
      ...{ result: name, tenant, host, messages: of.length, recipients: recipientsOf(of), missed },
    })
    if (shown.length === 0) {
      out.result(result('unchanged', []), () =>
        out.line(`${directory} holds no unregistered mail of ${tenant}`),
      )
      return
    }
    if (!isSure) {
      if (!out.json) printQueue(out, shown, '')
      const question = `Remove ${amountOf(shown)} permanently? The senders get no bounce. [y/N] `
      if (!(await context.confirmed(question))) {
        out.result(result('kept', []), () => out.line('nothing was removed'))
        return
      }
    }
    const { dropped, missed, registered } = await dropFromQueue(
      store,
      config,
      { directory, host, tenant },
      shown,
    )
    if (registered.length > 0) {
      context.note(
        `not removed, since the domain has been registered meanwhile: ${count(registered.length, 'message')}`,
      )
    }
    out.result(result('dropped', dropped, missed.length), () => {
      out.line(
        `removed ${count(dropped.length, 'message')} of ${tenant} for ${count(recipientsOf(dropped), 'recipient')} from the queue of ${host}`,
      )
      if (missed.length > 0) {
        out.line(`${count(missed.length, 'message')} had left the queue before that`)
      }
    })
    const due = dropped.filter((each) => !each.held && nextAttempt(each) === 'now').length
    if (due > 0) {
      context.note(
        `Haraka may have begun to deliver ${count(due, 'message')}: mail is held only with [restriction] queued=hold and while the tenant is restricted`,
      )
    }
  })
}

/** @throws {NotFoundError} neither the registry nor the queue knows the tenant. */
async function find(
  context: Context,
  place: { store: Store; config: Config; directory: string; tenant: string },
): Promise<readonly Queued[]> {
  const { store, config, directory, tenant } = place
  const { mail, unreadable } = await readQueue(store, config, directory, tenant)
  if (unreadable.length > 0) {
    context.note(
      `${count(unreadable.length, 'file')} in ${directory} cannot be understood, such as ${unreadable[0]}`,
    )
  }
  return mail
}

/** @throws {InputError} with `--redis` alone: the queue is next to the config directory. */
function queueOf(context: Context): string {
  const directory = context.configDirectory
  if (directory !== undefined) return queueDirectory(directory)
  throw new InputError(
    "the queue is a folder of a Haraka on this host: name Haraka's config directory with --config DIR",
  )
}
