import path from 'node:path'
import { Option, type Command } from 'commander'
import { backup, type BackupReport } from '../../backup/backup'
import { writeLines, writeTo, type Sink } from '../../registry-file/write-file'
import { openRecords, type RecordFile } from '../../registry-file/read-file'
import { differencesFrom, restore, type RestoreReport } from '../../backup/restore'
import { differencesOfTenant, restoreTenant } from '../../backup/restore-tenant'
import type { Findings } from '../../backup/restore-pass'
import { compareRestrictions } from '../../backup/restrictions'
import { InputError } from '../../base/errors'
import type { RedisSettings } from '../../store/settings'
import type { Store } from '../../store/store'
import { lookAtRegistry } from '../../registry/epoch'
import { askFirst } from '../kit/ask-first'
import { contextOf, type Context } from '../kit/context'
import type { Io } from '../kit/io'
import { longWork } from '../kit/long-work'
import { manual } from '../kit/manual'
import { askWhichRestrictions, tellRestrictions } from '../views/restored-restrictions'
import { count } from '../../base/count'
import { isoTime, shortTime } from '../../base/time'
import { tenantExists } from '../../registry/tenant-registry'

const STDOUT = '-'

interface RestoreOptions {
  readonly fromSnapshot?: boolean
  readonly tenant?: string
  readonly force?: boolean
  readonly yes?: boolean
  readonly restrictions?: 'keep' | 'file'
}

/** `tenantctl backup | restore` */
export function add(program: Command, io: Io): void {
  addBackup(program, io)
  addRestore(program, io)
}

function addBackup(program: Command, io: Io): void {
  const command = program
    .command('backup')
    .description('write everything that is registered and counted to a file')
    .argument('<file>', 'replaced in one step, once all is on disk; - for stdout')
    .action(async (file: string, _options: object, self: Command) => {
      const context = contextOf(io, self)
      const { out } = context
      const target = file === STDOUT ? undefined : path.resolve(io.cwd, file)
      await context.unharmed(async (store) => {
        const report = await backup(store, (header, lines) =>
          target === undefined
            ? writeTo(toStdout(io), header, lines)
            : writeLines(target, header, lines, { verify: true }),
        )
        if (report.ownersChanged) {
          context.note(
            'accepted domains changed owners meanwhile: a moved one may be in the backup twice or not at all; back up again while nothing is being registered',
          )
        }
        if (target === undefined) return context.note(`wrote ${contents(report)}`)
        io.stdout.mustArrive(`${target} is complete`)
        out.result(backupView(target, report), () => out.line(`${target}: ${contents(report)}`))
      })
    })
  manual(command, {
    examples: [
      'backup /var/backups/tenants.jsonl',
      'backup - | gpg --encrypt --recipient ops > tenants.jsonl.gpg',
    ],
    json: [
      'file, octets, records, sha256 (of all but the last line)',
      'tenants, domains, connectors, restricted: how many',
      'epoch: of the registry, null where it has none; created_at',
      'owners_changed: true where a domain may have been moved meanwhile',
      'with - there is no JSON: stdout is the backup',
    ],
    exit: {
      1: 'failed; an existing file is unchanged, and what - has printed is not a backup',
      4: 'there is nothing to back up, or Redis has lost it',
    },
  })
}

function addRestore(program: Command, io: Io): void {
  const command = program
    .command('restore')
    .description('put back the content of a backup, or of the snapshot file of Haraka')
    .argument(
      '[file]',
      'a file of tenantctl backup; it is checked in full before anything is written',
    )
    .option('--from-snapshot', 'the snapshot file of Haraka instead ([outage] snapshot)')
    .option('--tenant <id>', 'only this tenant; the rest of the registry stays as it is')
    .option('--force', 'even if the registry holds something else')
    .option('--yes', 'do not ask before something else is written over')
    .addOption(
      new Option(
        '--restrictions <which>',
        'restrictions that only Haraka knows: keep them, or lift them and go by the file (default: keep; asked at a terminal)',
      ).choices(['keep', 'file']),
    )
    .action(async (file: string | undefined, options: RestoreOptions, self: Command) => {
      const context = contextOf(io, self)
      // The snapshot file shows which restrictions only Haraka knows.
      const snapshot = options.tenant === undefined ? context.needed('outage').outage.snapshot : ''
      const { source, namedBy } = sourceOf(context, io, file, options)
      const opened = await openRecords(source, namedBy)
      try {
        if (options.tenant !== undefined) {
          const { tenant } = options
          await context.writing((store) => restoreOne(context, store, opened, tenant, options))
        } else {
          await context.connected(async (store, { redis }) => {
            const signed = await context.signed(store, redis)
            await restoreAll(context, signed, opened, { ...options, snapshot, redis })
          })
        }
      } finally {
        await opened.close()
      }
    })
  manual(command, {
    examples: [
      'restore /var/backups/tenants.jsonl',
      'restore --from-snapshot',
      'restore /var/backups/tenants.jsonl --force',
      'restore /var/backups/tenants.jsonl --restrictions keep',
      'restore /var/backups/tenants.jsonl --tenant contoso',
    ],
    json: [
      'result: restored | unchanged (all of it was there)',
      'file, kind: backup | snapshot, created_at: when it was made',
      'tenants, domains, connectors, restricted: how many the file holds',
      'written: how many of these Redis did not have already',
      'omitted: tenants that the snapshot does not hold',
      'left_out: {count, named}: what was not restored, because another tenant or connector has it, or its tenant is not in the file',
      'inconsistencies: array of {kind, text, remedy}; null: the registry is too large to check here (tenantctl doctor checks it)',
      'epoch: of the registry now',
      'restrictions: keep | file: what became of those that only Haraka knew',
      'tenant: with --tenant',
    ],
    exit: {
      2: 'the file is damaged, or is no backup; nothing was written',
      3: 'the file does not hold that tenant',
      4: 'Redis holds something else, or another tenant has a domain or identity of it; nothing was written',
      130: 'stopped by Ctrl-C; the same command goes on',
    },
  })
}

async function restoreAll(
  context: Context,
  store: Store,
  file: RecordFile,
  options: RestoreOptions & { readonly snapshot: string; readonly redis: RedisSettings },
): Promise<void> {
  const { epoch, tenants } = await lookAtRegistry(store)
  const isThere = tenants > 0
  if (!epoch && !isThere) context.noteBeginning(options.redis)
  const differences = (): Promise<Findings> =>
    longWork(context.io, 'comparing records', (work) => differencesFrom(store, file, work))
  if (isThere && !(await mayWriteOver(context, file, options, differences))) return
  const found = await compareRestrictions(store, file, options.snapshot)
  const restrictions = options.restrictions ?? (await askWhichRestrictions(context, found))
  const how = { force: options.force === true, lifts: restrictions === 'file' }
  const report = await longWork(context.io, 'restoring records', (work) =>
    restore(store, file, how, work),
  )
  context.out.result({ ...restoreView(file.file, report), restrictions }, () =>
    print(context, file.file, report),
  )
  tellRestrictions(context, found, restrictions)
  warn(context, report)
}

async function restoreOne(
  context: Context,
  store: Store,
  file: RecordFile,
  tenant: string,
  options: RestoreOptions,
): Promise<void> {
  if (options.restrictions !== undefined) {
    throw new InputError('--restrictions is for a whole registry: leave it out with --tenant')
  }
  const differences = (): Promise<Findings> => differencesOfTenant(store, file, tenant)
  const isThere = await tenantExists(store, tenant)
  if (isThere && !(await mayWriteOver(context, file, options, differences))) return
  const report = await longWork(context.io, 'restoring records', (work) =>
    restoreTenant(store, file, tenant, { force: options.force === true }, work),
  )
  context.out.result({ ...restoreView(file.file, report), tenant, restrictions: 'keep' }, () =>
    print(context, file.file, report),
  )
  warn(context, report)
}

/** With `--force`: asks whether to write over what differs from the file. */
async function mayWriteOver(
  context: Context,
  { file }: RecordFile,
  { force, yes }: RestoreOptions,
  differences: () => Promise<Findings>,
): Promise<boolean> {
  if (force !== true || yes === true || !context.io.asks) return true
  const { count: number, named } = await differences()
  if (number === 0) return true
  const more = number > named.length ? [`and ${number - named.length} more`] : []
  const isConfirmed = await askFirst(context, {
    yes: false,
    lines: () => Promise.resolve([...named.map((each) => `different in Redis: ${each}`), ...more]),
    question: `Write ${file} over ${count(number, 'difference')}?`,
  })
  if (!isConfirmed) context.note('nothing was written')
  return isConfirmed
}

/** The file, and the uid of the ini file's owner where the ini file names it. */
function sourceOf(
  context: Context,
  io: Io,
  file: string | undefined,
  { fromSnapshot }: RestoreOptions,
): { readonly source: string; readonly namedBy?: number } {
  if (file === STDOUT) {
    throw new InputError('restore reads its file twice, so it takes none from stdin: name a file')
  }
  if (file !== undefined) return { source: path.resolve(io.cwd, file) }
  if (fromSnapshot !== true) {
    throw new InputError('nothing to restore: name a file, or give --from-snapshot')
  }
  const { owner, outage } = context.config()
  if (outage.snapshot !== '') return { source: outage.snapshot, namedBy: owner }
  throw new InputError(
    'there is no snapshot file: [outage] snapshot is empty; name the file, or the config directory with --config DIR',
  )
}

function toStdout({ stdout }: Io): Sink {
  return (text) => {
    stdout.write(text)
    return stdout.flushed()
  }
}

function contents(report: BackupReport | RestoreReport): string {
  const { tenants, restricted, domains, connectors } = report
  return `${count(tenants, 'tenant')} (${restricted} restricted), ${count(domains, 'domain')}, ${count(connectors, 'connector')}`
}

function backupView(file: string, report: BackupReport): object {
  const { header, octets, records, sha256, tenants, domains, connectors, restricted } = report
  return {
    ...{ file, octets, records, sha256, tenants, domains, connectors, restricted },
    epoch: header.epoch === '' ? null : header.epoch,
    created_at: isoTime(header.createdAt),
    owners_changed: report.ownersChanged,
  }
}

function restoreView(file: string, report: RestoreReport): object {
  const { result, header, tenants, domains, connectors, restricted, written, epoch } = report
  const { count, named } = report.leftOut
  return {
    ...{ result, file, kind: header.kind, created_at: isoTime(header.createdAt) },
    ...{ tenants, domains, connectors, restricted, written, omitted: header.omitted },
    left_out: { count, named },
    inconsistencies:
      report.inconsistencies?.map(({ kind, text, remedy }) => ({ kind, text, remedy })) ?? null,
    epoch,
  }
}

function print({ out }: Context, file: string, report: RestoreReport): void {
  const { result, header } = report
  const made = `the ${header.kind} of ${shortTime(header.createdAt)}`
  if (result === 'unchanged') out.line(`${file}: all of it is there already, ${contents(report)}`)
  else out.line(`restored ${contents(report)} from ${made}`)
  if (header.kind === 'snapshot')
    out.line(
      'a snapshot file holds no usage: usage that is still in Redis stays, lost usage starts at zero',
    )
}

/** Notes that the operator must see, also with --json. */
function warn(context: Context, { header, leftOut, inconsistencies }: RestoreReport): void {
  if (header.omitted > 0) {
    context.note(
      `NOT ALL TENANTS ARE BACK: the snapshot holds the tenants that sent mail last, and nothing of ${count(header.omitted, 'more tenant')}; restore a backup, or register them again`,
    )
  }
  for (const text of leftOut.named) context.note(`left out ${text}`)
  if (leftOut.count > leftOut.named.length) {
    context.note(`and ${leftOut.count - leftOut.named.length} more were left out`)
  }
  if (inconsistencies === undefined) {
    context.note('what else Redis holds was not checked: run tenantctl doctor')
  } else if (inconsistencies.length > 0) {
    context.note(
      `${inconsistencies.length} inconsistencies, the first: ${inconsistencies[0]!.text}; tenantctl doctor --repair repairs what it can`,
    )
  }
}
