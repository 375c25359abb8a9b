import { readFileSync } from 'node:fs'
import path from 'node:path'
import { Command } from 'commander'
import { packageRoot } from '../base/package-root'
import { throwUsageErrors } from './kit/failure'
import { addGlobalOptions } from './kit/global-options'
import type { Io } from './kit/io'

/* eslint-disable @typescript-eslint/no-require-imports -- a command loads only what it needs */

interface CommandModule {
  add(program: Command, io: Io, end: (status: number) => void): void
}

/** What each file of `commands/` adds, in the order of the help. */
const COMMANDS: readonly (readonly [names: readonly string[], load: () => CommandModule])[] = [
  [['tenant'], () => require('./commands/tenant') as typeof import('./commands/tenant')],
  [['domain'], () => require('./commands/domain') as typeof import('./commands/domain')],
  [['connector'], () => require('./commands/connector') as typeof import('./commands/connector')],
  [['status'], () => require('./commands/status') as typeof import('./commands/status')],
  [['report'], () => require('./commands/report') as typeof import('./commands/report')],
  [
    ['unattributed'],
    () => require('./commands/unattributed') as typeof import('./commands/unattributed'),
  ],
  [
    ['restricted'],
    () => require('./commands/restricted') as typeof import('./commands/restricted'),
  ],
  [['block'], () => require('./commands/block') as typeof import('./commands/block')],
  [['unblock'], () => require('./commands/unblock') as typeof import('./commands/unblock')],
  [['incident'], () => require('./commands/incident') as typeof import('./commands/incident')],
  [['queue'], () => require('./commands/queue') as typeof import('./commands/queue')],
  [['unusual'], () => require('./commands/unusual') as typeof import('./commands/unusual')],
  [['events'], () => require('./commands/events') as typeof import('./commands/events')],
  [['evidence'], () => require('./commands/evidence') as typeof import('./commands/evidence')],
  [['explain'], () => require('./commands/explain') as typeof import('./commands/explain')],
  [['alert'], () => require('./commands/alert') as typeof import('./commands/alert')],
  [['case'], () => require('./commands/case') as typeof import('./commands/case')],
  [['audit'], () => require('./commands/audit') as typeof import('./commands/audit')],
  [['suggest'], () => require('./commands/suggest') as typeof import('./commands/suggest')],
  [['apply'], () => require('./commands/apply') as typeof import('./commands/apply')],
  [['doctor'], () => require('./commands/doctor') as typeof import('./commands/doctor')],
  [['backup', 'restore'], () => require('./commands/backup') as typeof import('./commands/backup')],
  [['registry'], () => require('./commands/registry') as typeof import('./commands/registry')],
  [['init'], () => require('./commands/init') as typeof import('./commands/init')],
  [['purge'], () => require('./commands/purge') as typeof import('./commands/purge')],
]
/* eslint-enable @typescript-eslint/no-require-imports */

/**
 * The command line.
 *
 * @param end receives the exit status of a command that did its work and still ends with a status other than 0.
 * @param argv without node and the script: only the command it names is loaded. Without it, or where it names none,
 *   all are loaded, for the help and for messages that list them.
 */
export function createProgram(
  io: Io,
  end: (status: number) => void,
  argv: readonly string[] = [],
): Command {
  const program = new Command('tenantctl')
    .description(
      'Tenants of a Haraka relay: their accepted domains, connectors, meters and restrictions.',
    )
    .version(VERSION, '--version', 'print the version')
    .configureHelp({ showGlobalOptions: true, helpWidth: io.columns })
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      // Errors are printed in one place, by main(), and in one line.
      writeErr: () => {},
    })
    .addHelpText('after', OVERVIEW)
  for (const load of commandsFor(argv)) load().add(program, io, end)
  addGlobalOptions(program)
  throwUsageErrors(program)
  return program
}

function commandsFor(argv: readonly string[]): (() => CommandModule)[] {
  const word = commandWord(argv)
  const named = COMMANDS.filter(([names]) => names.some((name) => name === word))
  return (named.length > 0 ? named : COMMANDS).map(([, load]) => load)
}

/** The first word that is neither a global option nor its value; `undefined`: there is none, or a value is missing. */
function commandWord(argv: readonly string[]): string | undefined {
  const reader = new Command().exitOverride().configureOutput({ writeErr: () => {} })
  addGlobalOptions(reader)
  try {
    return reader.parseOptions([...argv]).operands[0]
  } catch {
    return undefined
  }
}

const OVERVIEW = `
Examples:
  $ tenantctl tenant add contoso --name "Contoso Ltd"
  $ tenantctl domain add contoso contoso.com --subdomains
  $ tenantctl connector add contoso exchange --ip 192.0.2.10
  $ tenantctl status
  $ tenantctl unblock contoso --reason "password changed"

Exit status:
  0  done, or nothing to do
  1  failed: Redis cannot be reached, doctor found a fault, the output cannot be written …
  2  bad usage, bad input, or a mistake in the ini file where a default would be wrong
  3  no such tenant, domain or connector
  4  refused: owned by another tenant, exists with other content, restricted …

Errors are one line on stderr; with --json it is {"error": text, "status": number}.`

const { version: VERSION } = JSON.parse(
  readFileSync(path.join(packageRoot(), 'package.json'), 'utf8'),
) as { version: string }
