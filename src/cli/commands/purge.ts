import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { tenantctl, shellWord } from '../../base/command-line'
import { count } from '../../base/count'
import { InputError, RefusedError } from '../../base/errors'
import { assertUnused, countKeys, purgeAll } from '../../operations/purge-all'
import { lookAtRegistry } from '../../registry/epoch'
import { contextOf, type Context } from '../kit/context'
import type { Io } from '../kit/io'
import { longWork } from '../kit/long-work'
import { manual } from '../kit/manual'
import { assertTyped, backupFile, savedFirst } from '../kit/saved-first'

interface Options {
  readonly all?: boolean
  readonly yes?: string
  readonly backup?: string
}

/** `tenantctl purge` */
export function add(program: Command, io: Io): void {
  const command = program
    .command('purge')
    .description('delete everything under the prefix from Redis, once no Haraka uses it')
    .option('--all', 'required: the registry, restrictions, usage, reports, cases, audit trail')
    .option('--yes <prefix>', 'the prefix of the keys, instead of typing it (ud: by default)')
    .option(
      '--backup <file>',
      'what Redis holds now is saved here first, in a new file (default: beside the snapshot file)',
    )
    .action(async (options: Options, self: Command) => {
      const context = contextOf(io, self)
      if (options.all !== true) {
        throw new InputError(
          `purge deletes everything: give --all; for one tenant see ${tenantctl('tenant', 'remove', '--help')}`,
        )
      }
      context.site.assertOwn()
      const settings = options.backup === undefined ? context.needed('outage') : context.config()
      const file = backupFile(context, settings, 'purge', options.backup)
      await context.connected(async (store) => {
        const { prefix } = store.keys
        await assertUnused(store)
        const total = await countKeys(store)
        if (total === 0) {
          context.out.result({ result: 'unchanged', prefix, keys: 0, backup: null }, () =>
            context.out.line(`Redis holds nothing under ${prefix}`),
          )
          return
        }
        const what = `purge deletes ${count(total, 'key')}: all that is registered, restricted, counted and reported`
        await assertTyped(context, prefix, what, options.yes)
        // The backup of before must not be replaced by one of what is left.
        if (existsSync(file) && (await lookAtRegistry(store)).tenants > 0) {
          throw new RefusedError(`${file} is there already: name a new file with --backup FILE`)
        }
        const backup = await savedFirst(context, store, file)
        const keys = await longWork(io, 'deleting keys', (work) => purgeAll(store, total, work))
        io.stdout.mustArrive('all of it is deleted')
        context.out.result({ result: 'purged', prefix, keys, backup }, () =>
          context.out.line(`deleted ${count(keys, 'key')} under ${prefix}`),
        )
        noteSnapshot(context, context.config().outage.snapshot)
      })
    })
  manual(command, {
    examples: ['purge --all', 'purge --all --yes ud: --backup /var/backups/last.jsonl'],
    json: [
      'result: purged | unchanged (there was nothing)',
      'prefix; keys: how many were deleted',
      'backup: the file with what Redis held before, null: it held no tenant',
    ],
    exit: {
      2: 'bad usage, or the prefix was not typed; nothing was deleted',
      4: 'a process of Haraka uses the registry, or the backup cannot be written; nothing was deleted',
      130: 'stopped by Ctrl-C; the same command goes on',
    },
  })
}

/** Else the next start takes the empty Redis for one that has lost its registry. */
function noteSnapshot(context: Context, snapshot: string): void {
  if (snapshot === '') return
  context.note(`remove the snapshot file too, on every host: rm -f ${shellWord(snapshot)}`)
}
