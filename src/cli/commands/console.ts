import type { Command } from 'commander'
import { Argument, Option } from 'commander'
import { count } from '../../base/count'
import { NotFoundError } from '../../base/errors'
import { shortTime } from '../../base/time'
import { readSecretFile, type SecretFile } from '../../config/secret-file'
import type { Person } from '../../console/access/person'
import { askConsole } from '../../console/server/control'
import type * as Starting from '../../console/server/start'
import { makeStateDirectory, stateFiles } from '../../console/server/state-directory'
import { osActor } from '../../records/actor'
import { ROLES, type Role } from '../../records/role'
import { allRows } from '../kit/all-rows'
import { contextOf, type Context } from '../kit/context'
import type { Io } from '../kit/io'
import { groupManual, manual } from '../kit/manual'

const NO_CONSOLE = { 1: 'no console runs, or this user may not ask it' }

/** `tenantctl console [link | sessions]` */
export function add(program: Command, io: Io): void {
  const command = program
    .command('console')
    .description('serve the web console, until Ctrl-C or SIGTERM')
    .action(async (_options: object, self: Command) => serve(contextOf(io, self)))
  manual(command, {
    examples: ['console', 'console link --role viewer', 'console sessions list'],
    json: ['none: it serves pages'],
    exit: { 1: 'it cannot listen there, or another console runs with the same [console] state' },
  })
  addLink(command, io)
  addSessions(command, io)
}

async function serve(context: Context): Promise<void> {
  context.needed('redis', 'console')
  context.site.assertOwn()
  const config = context.config()
  const { owner } = config
  const { proxySecretFile, readPasswordFile, state } = config.console
  const files = stateFiles(state)
  makeStateDirectory(files)
  const secretOf = (name: string, file: string | undefined, shortest: number) =>
    file === undefined
      ? undefined
      : readSecretFile({
          ...{ key: `[console] ${name}`, file, namedBy: owner, reader: 'console', shortest },
        } satisfies SecretFile)
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- hono is for this command alone
  const { startConsole } = require('../../console/server/start') as typeof Starting
  const running = await startConsole({
    ...{ config, files, note: (line) => context.note(line) },
    proxySecret: secretOf('proxy_secret_file', proxySecretFile, 16),
    readPassword: secretOf('read_password_file', readPasswordFile, 1),
  })
  context.note(`console at ${running.url}`)
  const { io, out } = context
  if (io.terminal) {
    out.line('This link signs you in, once and within ten minutes:')
    out.line(running.link(osActor(io.env), 'admin'))
  }
  await new Promise<void>((resolve) => io.onInterrupt(resolve))
  await running.stop()
}

function addLink(parent: Command, io: Io): void {
  const command = parent
    .command('link')
    .description('make a link that signs you in to the console that runs here')
    .addOption(new Option('--role <role>', 'what you may do there').choices(ROLES).default('admin'))
    .action(async ({ role }: { readonly role: Role }, self: Command) => {
      const context = contextOf(io, self)
      const link = await ask<string>(context, { do: 'link', role, for: osActor(io.env) })
      context.out.result({ link, role }, () => context.out.line(link))
    })
  manual(command, {
    examples: ['console link', 'console link --role viewer'],
    json: ['link: it works once, within ten minutes; role'],
    exit: NO_CONSOLE,
  })
}

/** A session as the console lists it. */
interface Listed extends Person {
  readonly id: string
  /** ms since the epoch, as `used`. */
  readonly begun: number
  readonly used: number
  readonly address: string
}

function addSessions(parent: Command, io: Io): void {
  const sessions = parent.command('sessions').description('who is signed in to the console')
  groupManual(sessions, ['console sessions list', 'console sessions revoke 5f0c2a9b11d3'])
  const list = sessions
    .command('list')
    .description('the sessions')
    .addOption(allRows())
    .action(async (_options: object, self: Command) => {
      const context = contextOf(io, self)
      const listed = await ask<Listed[]>(context, { do: 'list' })
      context.out.result({ sessions: listed.map(sessionView) }, () =>
        printSessions(context, listed),
      )
    })
  manual(list, {
    examples: ['console sessions list', 'console sessions list --json'],
    json: [
      'sessions: an array of:',
      'id; person, role; by: web (the proxy) | console (a link); begun, used; address',
    ],
    exit: NO_CONSOLE,
  })
  const revoke = sessions
    .command('revoke')
    .description('end a session, or all: their browsers have to sign in again')
    .addArgument(new Argument('<id>', 'as list shows it, or all'))
    .action(async (id: string, _options: object, self: Command) => {
      const context = contextOf(io, self)
      const ended = await ask<number>(context, id === 'all' ? { do: 'end' } : { do: 'end', id })
      if (ended === 0 && id !== 'all') throw new NotFoundError(`there is no session "${id}"`)
      context.out.result({ ended }, () =>
        context.out.line(`ended ${count(ended, 'session')}`, 'good'),
      )
    })
  manual(revoke, {
    examples: ['console sessions revoke 5f0c2a9b11d3', 'console sessions revoke all'],
    json: ['ended: how many sessions'],
    exit: { ...NO_CONSOLE, 3: 'no such session' },
  })
}

function ask<T>(context: Context, order: Parameters<typeof askConsole>[1]): Promise<T> {
  context.needed('console')
  return askConsole<T>(stateFiles(context.config().console.state).control, order)
}

function sessionView({ id, name, role, provider, begun, used, address }: Listed) {
  const [since, last] = [begun, used].map((time) => new Date(time).toISOString())
  return { id, person: name, role, by: provider, begun: since, used: last, address }
}

function printSessions({ out }: Context, listed: readonly Listed[]): void {
  out.table(
    ['ID', 'PERSON', 'ROLE', 'BY', 'SINCE', 'USED', 'ADDRESS'],
    listed.map(({ id, name, role, provider, begun, used, address }) => [
      ...[id, name, role, provider, shortTime(begun), shortTime(used), address],
    ]),
    'no person is signed in',
  )
}
