import type { Command } from 'commander'
import { count } from '../../base/count'
import { shortTime } from '../../base/time'
import { acceptRedis, readWentBack, type WentBack } from '../../operations/lost-changes'
import { restoreKnown, type Restored } from '../../operations/restore-known'
import type { Store } from '../../store/store'
import { acceptedReason } from '../kit/actor'
import { contextOf, type Context } from '../kit/context'
import type { Io } from '../kit/io'
import { groupManual, manual } from '../kit/manual'
import { assertTyped, backupFile, savedFirst } from '../kit/saved-first'
import { putBackText, spanText } from '../kit/went-back'
import { printLost, printMissing, restoredView, wentBackView } from '../views/registry'

interface ResolveOptions {
  readonly reason: string
  readonly yes?: string
  readonly backup?: string
}

/** `tenantctl registry status | restore-known | accept-redis` */
export function add(program: Command, io: Io, end: (status: number) => void): void {
  const registry = program
    .command('registry')
    .description('a Redis that has gone back in time: what it has lost, and how to resolve that')
  groupManual(registry, [
    'registry status',
    'registry restore-known --reason "primary came back with old data"',
    'registry accept-redis --reason "test data"',
  ])
  addStatus(registry, io, end)
  addRestoreKnown(registry, io, end)
  addAcceptRedis(registry, io)
}

const LOST = [
  'from: the latest change that Redis still held, null: none; to: the latest that it held before; noticed',
  'put_back: array of {subject, what: restriction | lift, case, time}: what Haraka has written again',
  'lost: array of changes that are in effect in Haraka: {subject: tenant or tenant/connector,',
  '  what: domain NAME | tenant | connector | a setting, before, in_redis: null where there is nothing,',
  '  state: lost | restored (Redis has it again) | overtaken (changed since)}',
  'owners: true where Redis lost who owns which domain; restore-known reconciles that with the tenants',
  'more: how many more there are',
  'missing: array of {subject, time}: a change that no process knows',
]

const REFUSED = {
  4: 'the backup cannot be written, or Redis has lost the registry (tenantctl doctor): nothing was written',
}

function addStatus(registry: Command, io: Io, end: (status: number) => void): void {
  const command = registry
    .command('status')
    .description('whether Redis has gone back in time, what it has lost, and what to do')
    .action(async (_options: object, self: Command) => {
      const context = contextOf(io, self)
      await context.connected(async (store) => {
        const found = await readWentBack(store)
        context.out.result(found ? wentBackView(found) : null, () => print(context, found))
        if (found?.isOpen) end(1)
      })
    })
  manual(command, {
    examples: ['registry status', 'registry status --json'],
    json: ['null: Redis has not gone back, or that is resolved; or an object:', ...LOST],
    exit: {
      0: 'nothing is left to resolve',
      1: 'changes are lost or missing; or failed, for example Redis cannot be reached',
    },
  })
}

function addRestoreKnown(registry: Command, io: Io, end: (status: number) => void): void {
  const command = registry
    .command('restore-known')
    .description('write what Redis has lost and Haraka knows, where nothing was written since')
  resolving(command, io, async (context, store, found, resolve) => {
    if (found.lost.length === 0) {
      return context.out.result({ result: 'unchanged' }, () =>
        context.out.line('Haraka knows nothing that Redis has lost: nothing was written'),
      )
    }
    if (!context.out.json) printChanges(context, found)
    const { reason, backup: file } = await resolve('writes what stood BEFORE')
    const restored = await restoreKnown(store, found, { by: context.by, reason })
    const left = await readWentBack(store)
    const open = left?.isOpen === true
    context.out.result(
      { result: 'restored', backup: file, ...restoredView(restored), resolved: !open },
      () => printRestored(context, restored, open),
    )
    if (restored.leftOut.length > 0) end(1)
  })
  manual(command, {
    examples: [
      'registry restore-known --reason "primary came back with old data"',
      'registry restore-known --reason "primary came back with old data" --yes ud: --backup /var/backups/went-back.jsonl',
    ],
    json: [
      'result: restored | unchanged (Haraka knows nothing that Redis has lost)',
      'backup: the file with what Redis held before, null: it held no tenant',
      'written, skipped (Redis has them, or they were changed since), left_out (with why):',
      '  arrays of changes as in registry status',
      'resolved: false where changes are still lost or missing',
    ],
    exit: {
      1: 'some of it was left out; or failed, for example Redis cannot be reached',
      ...REFUSED,
    },
  })
}

function addAcceptRedis(registry: Command, io: Io): void {
  const command = registry
    .command('accept-redis')
    .description('accept what Redis holds: Haraka drops the changes that Redis has lost')
  resolving(command, io, async (context, store, found, resolve) => {
    if (!context.out.json) printChanges(context, found)
    const { reason, backup: file } = await resolve('drops what stood BEFORE')
    await acceptRedis(store, found, { reason })
    context.out.result({ result: 'accepted', backup: file, ...wentBackView(found) }, () =>
      context.out.line(
        'what Redis holds is accepted; restrictions and lifts that were put back stay',
      ),
    )
  })
  manual(command, {
    examples: ['registry accept-redis --reason "test data"'],
    json: [
      'result: accepted | unchanged (Redis has not gone back, or that is resolved)',
      'backup: the file with what Redis holds, null: it holds no tenant',
      ...LOST,
    ],
    exit: REFUSED,
  })
}

/** Asks for the prefix, and backs up. @param verb what the command does to the table. */
type Resolve = (
  verb: string,
) => Promise<{ readonly reason: string; readonly backup: string | null }>

/** What both commands that resolve it share: options, the question, and the backup before anything is written. */
function resolving(
  command: Command,
  io: Io,
  run: (context: Context, store: Store, found: WentBack, resolve: Resolve) => Promise<void>,
): void {
  command
    .requiredOption('--reason <text>', 'why (required): kept in the audit trail')
    .option('--yes <prefix>', 'the prefix of the keys, instead of typing it (ud: by default)')
    .option(
      '--backup <file>',
      'what Redis holds now is saved here first (default: beside the snapshot file)',
    )
    .action(async (options: ResolveOptions, self: Command) => {
      const context = contextOf(io, self)
      const reason = acceptedReason(options.reason)
      const settings = options.backup === undefined ? context.needed('outage') : context.config()
      await context.writing(async (store) => {
        const found = await readWentBack(store)
        if (!found) {
          return context.out.result({ result: 'unchanged' }, () => print(context, undefined))
        }
        const name = self.name()
        const file = backupFile(context, settings, name, options.backup)
        await run(context, store, found, async (verb) => {
          await assertTyped(context, store.keys.prefix, `${name} ${verb}`, options.yes)
          return { reason, backup: await savedFirst(context, store, file) }
        })
      })
    })
}

function print(context: Context, found: WentBack | undefined): void {
  const { out } = context
  if (!found) return out.line('Redis has not gone back in time, or that is resolved')
  out.line(`${spanText(found)}; noticed at ${shortTime(found.since)}`)
  out.line('usage counted in between is lost: at most one more allowance for each tenant')
  if (found.putBack.length > 0) {
    out.line()
    out.line('put back by Haraka:')
    for (const each of found.putBack) out.line(`  ${putBackText(each)}`)
  }
  printChanges(context, found)
  out.line()
  if (!found.isOpen) return out.line('nothing is left to resolve')
  out.line('what to do:')
  if (found.lost.length > 0) {
    out.line('  tenantctl registry restore-known --reason …  # writes what stood BEFORE')
  }
  if (found.missing.length > 0) out.line('  make the missing changes again')
  out.line(
    '  tenantctl registry accept-redis --reason …  # then: drops what is still lost or missing',
  )
}

function printChanges({ out }: Context, found: WentBack): void {
  if (found.lost.length > 0) {
    out.line()
    out.line('lost by Redis; in Haraka the values BEFORE are in effect:')
    printLost(out, found)
  }
  if (found.missing.length > 0) {
    out.line()
    out.line('missing; no process knows what was changed:')
    printMissing(out, found.missing)
  }
}

function printRestored({ out }: Context, restored: Restored, open: boolean): void {
  const { written, skipped, leftOut } = restored
  out.line(`written: ${count(written.length, 'change')}`)
  if (skipped.length > 0) out.line(`written before, or changed since: ${skipped.length}`)
  for (const { subject, what, why } of leftOut)
    out.line(`left out ${subject}: ${what}: ${why}`, 'warn')
  out.line(open ? 'not all is resolved: tenantctl registry status' : 'nothing is left to resolve')
}
