import { Argument, type Command } from 'commander'
import { tenantctl } from '../../base/command-line'
import { count } from '../../base/count'
import { InputError, UserError } from '../../base/errors'
import type { Work } from '../../base/work'
import { queueDirectory } from '../../config/haraka-files'
import { assertTenantId } from '../../mail/identities'
import { amountText } from '../../operations/queue'
import { LocalQueue } from '../../operations/queue-local'
import {
  askQueues,
  dropFromQueues,
  sumOf,
  type DroppedFromQueues,
  type HostList,
  type MissingHosts,
  type QueueList,
  type QueueQuestion,
} from '../../operations/queue-orders'
import { parseQueueFilter, queueFilterText, type QueueFilter } from '../../outbound/filter'
import type { Config } from '../../process/config'
import type { Store } from '../../store/store'
import { contextOf, type Context } from '../kit/context'
import type { Io } from '../kit/io'
import { longWork } from '../kit/long-work'
import { manual } from '../kit/manual'
import { inEffect } from '../kit/paused'
import { NO_TENANT } from '../kit/statuses'
import {
  droppedLines,
  droppedView,
  dropNotes,
  heldText,
  MAY_STILL,
  missingLines,
  printHeaders,
  printQueue,
  queuedView,
} from '../views/queue'

/** What is done, and what the list of it is for. */
const ACTIONS = { list: 'list', show: 'headers', drop: 'drop' } as const

interface QueueOptions {
  readonly where?: readonly QueueFilter[]
  readonly yes?: boolean
  readonly local?: boolean
}

/** What a person asks for. */
interface Request {
  readonly tenant: string
  readonly action: keyof typeof ACTIONS
  readonly where: readonly QueueFilter[]
  readonly isSure: boolean
  /** The queue directory of this host; `undefined`: the queues of all hosts. */
  readonly directory: string | undefined
}

/** Where lists come from and drops go to. */
interface Queues {
  ask(question: QueueQuestion, work: Work): Promise<QueueList>
  drop(list: QueueList, work: Work): Promise<DroppedFromQueues>
}

/** `tenantctl queue` */
export function add(program: Command, io: Io): void {
  const command = program
    .command('queue')
    .description(
      "a tenant's mail in the queues of all hosts: show it, or remove what is unregistered",
    )
    .argument('<tenant>')
    .addArgument(
      new Argument(
        '[action]',
        'list: by class, oldest first; show: headers and recipients, no body; drop: remove unregistered and foreign mail whose domain is still not registered',
      )
        .choices(Object.keys(ACTIONS))
        .default('list'),
    )
    .option(
      '--where <filter>',
      'only mail with KEY=VALUE, or KEY^=START; keys: domain, connector, sender, class, file (repeatable)',
      (text, filters: readonly QueueFilter[] = []) => [...filters, parseQueueFilter(text)],
    )
    .option('--yes', 'drop without a question')
    .option('--local', 'only the queue of this host, also while Haraka is stopped')
    .action(
      async (tenant: string, action: Request['action'], options: QueueOptions, self: Command) => {
        const context = contextOf(io, self)
        assertTenantId(tenant)
        const { where = [], yes = false, local = false } = options
        if (action === 'drop' && !yes && !io.asks) {
          throw new InputError(
            'drop asks before it removes anything, and there is no terminal to ask at: give --yes',
          )
        }
        const directory = local ? queueOf(context) : undefined
        const request = { tenant, action, where, isSure: yes, directory }
        const ofFile = context.config()
        const use = async (store: Store): Promise<void> => {
          const config = await inEffect(store, ofFile, context.out)
          await run(context, request, queuesFor(store, config, directory))
        }
        // Lists are orders, but change nothing that a person could see.
        if (action === 'list') await context[local ? 'connected' : 'unharmed'](use)
        else await context.writing(use)
      },
    )
  manual(command, {
    examples: [
      'queue contoso',
      "queue contoso list --json | jq -r '.[] | select(.held) | .recipients[]'",
      "queue contoso show --where 'domain^=bank'",
      'queue contoso drop --where connector=web',
      'queue contoso drop --local --yes',
    ],
    json: [
      'list, show: an array of:',
      'host, queue: its directory; file: its name there',
      'class: registered | unregistered | foreign | forwarded | null (the string); null: not known',
      '  as when it came, or registered where its domain has been registered since',
      'connector: tenant/name, or null; sender: empty for the null sender',
      'recipients: array, the first 100 (show: 1,000; --local: all); recipient_count: how many there are',
      'size: octets of the message; arrived, next_attempt; failures: deliveries that failed',
      'held: it waits until the restriction is lifted',
      'headers: of show, the fields of the header, folded as they are',
      'the 1,000 oldest messages of each host (show: 50; --local: all)',
      'drop: {result: dropped | unchanged | kept (the answer was no), tenant, host: their names, messages,',
      '  recipients, missed, hosts: each {host, queue, messages, recipients, missed, registered},',
      '  silent: names of hosts that did not answer}',
      'missed: messages that were delivered, or given up, before they could be removed',
      'registered: messages that stay, since their domain was registered meanwhile',
    ],
    exit: { 1: 'failed, or a host did not answer: stderr names it', ...NO_TENANT },
  })
}

function queuesFor(store: Store, config: Config, directory: string | undefined): Queues {
  if (directory !== undefined) return new LocalQueue(store, config, directory)
  return {
    ask: (question, work) => askQueues(store, question, work),
    drop: (list, work) => dropFromQueues(store, list, work),
  }
}

async function run(context: Context, request: Request, queues: Queues): Promise<void> {
  const { tenant, action, where } = request
  const question = { tenant, where, for: ACTIONS[action] }
  const list = await longWork(context.io, 'asking hosts', (work) => queues.ask(question, work))
  noteUnreadable(context, list.hosts)
  noteMissing(context, request, list)
  if (action !== 'drop') show(context, request, list.hosts)
  const done = action === 'drop' ? await drop(context, request, queues, list) : undefined
  if (done) noteMissing(context, request, done, MAY_STILL)
  const missing = [list, ...(done ? [done] : [])].some(
    ({ silent, failed }) => silent.length + failed.length > 0,
  )
  if (missing) throw new UserError('not all hosts have answered', 1)
}

function show({ out }: Context, request: Request, hosts: readonly HostList[]): void {
  const { tenant, action } = request
  out.result(queuedView(hosts), () => {
    const empty = emptyText(request, 'mail')
    if (action === 'show') printHeaders(out, hosts, empty)
    else printQueue(out, hosts, empty)
    const held = heldText(hosts, tenant)
    if (held === undefined) return
    out.line()
    out.line(held)
  })
}

/** @returns `undefined`: nothing was removed. */
async function drop(
  context: Context,
  request: Request,
  queues: Queues,
  list: QueueList,
): Promise<DroppedFromQueues | undefined> {
  const { out } = context
  const { tenant } = request
  const hosts = list.hosts.filter(({ toDrop }) => toDrop.messages > 0)
  const result = (name: string, done?: DroppedFromQueues): object => ({
    ...{ result: name, tenant, ...droppedView(list, done) },
  })
  if (hosts.length === 0) {
    out.result(result('unchanged'), () => out.line(emptyText(request, 'unregistered mail')))
    return undefined
  }
  if (!(await isConfirmed(context, request, hosts))) {
    out.result(result('kept'), () => out.line('nothing was removed'))
    return undefined
  }
  const done = await longWork(context.io, 'removing', (work) => queues.drop(list, work))
  out.result(result('dropped', done), () => {
    for (const line of droppedLines(tenant, done.hosts)) out.line(line)
  })
  for (const note of dropNotes(hosts, done.hosts)) context.note(note)
  return done
}

async function isConfirmed(
  context: Context,
  { isSure }: Request,
  hosts: readonly HostList[],
): Promise<boolean> {
  if (isSure) return true
  if (!context.out.json) printQueue(context.out, hosts, '', true)
  const amount = amountText(sumOf(hosts.map(({ toDrop }) => toDrop)))
  return context.confirmed(`Remove ${amount} permanently? The senders get no bounce. [y/N] `)
}

function noteUnreadable(context: Context, hosts: readonly HostList[]): void {
  for (const { host, unreadable } of hosts) {
    if (unreadable.length === 0) continue
    context.note(
      `${count(unreadable.length, 'file')} in ${host.directory} on ${host.name} cannot be understood, such as ${unreadable[0]}`,
    )
  }
}

function noteMissing(context: Context, request: Request, missing: MissingHosts, later = ''): void {
  const { tenant, action, where } = request
  const filters = where.flatMap((each) => ['--where', queueFilterText(each)])
  const command = tenantctl('queue', tenant, action, ...filters, '--local')
  for (const line of missingLines(missing, `${later}; on it: ${command}`)) context.note(line)
}

/** That there is none. @param what of it, such as `unregistered mail`. */
function emptyText({ tenant, where, directory }: Request, what: string): string {
  const such = where.length === 0 ? what : `${what} of that kind`
  return directory === undefined
    ? `no host that answered holds ${such} of ${tenant}`
    : `${directory} holds no ${such} of ${tenant}`
}

/** @throws {InputError} with `--redis` alone: the queue is next to the config directory. */
function queueOf(context: Context): string {
  const directory = context.configDirectory
  if (directory !== undefined) return queueDirectory(directory)
  throw new InputError(
    "the queue is a folder of a Haraka on this host: name Haraka's config directory with --config DIR",
  )
}
