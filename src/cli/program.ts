import { readFileSync } from 'node:fs'
import path from 'node:path'
import { Command, Help } from 'commander'
import { packageRoot } from '../base/package-root'
import { throwUsageErrors } from './kit/failure'
import { addGlobalOptions } from './kit/global-options'
import type { Io } from './kit/io'

/* eslint-disable @typescript-eslint/no-require-imports -- a command loads only what it needs */

interface CommandModule {
  add(
    program: Command,
    io: Io,
    end: (status: number) => void,
    programFor: (argv: readonly string[]) => Command,
  ): void
}

/** A file of `commands/`: the commands that it adds, each in a few words for the overview. */
interface Entry {
  readonly words: Readonly<Record<string, string>>
  readonly load: () => CommandModule
}

/** All commands, in the order and the groups of the help. */
const GROUPS: Readonly<Record<string, readonly Entry[]>> = {
  Registering: [
    {
      words: { tenant: 'the organisations that relay through this server' },
      load: () => require('./commands/tenant') as typeof import('./commands/tenant'),
    },
    {
      words: { domain: 'the sender domains of a tenant that always pass' },
      load: () => require('./commands/domain') as typeof import('./commands/domain'),
    },
    {
      words: { connector: "how a tenant's servers are recognised; block one of them" },
      load: () => require('./commands/connector') as typeof import('./commands/connector'),
    },
    {
      words: { suggest: "which unregistered domains are probably the tenant's own" },
      load: () => require('./commands/suggest') as typeof import('./commands/suggest'),
    },
    {
      words: { apply: 'bring the registry in line with a tenants file' },
      load: () => require('./commands/apply') as typeof import('./commands/apply'),
    },
  ],
  Incident: [
    {
      words: { incident: 'all about a restricted tenant on one screen, and its next steps' },
      load: () => require('./commands/incident') as typeof import('./commands/incident'),
    },
    {
      words: { top: 'what goes on now, live: the tenants by unregistered mail a minute' },
      load: () => require('./commands/top') as typeof import('./commands/top'),
    },
    {
      words: { status: 'the meters of all tenants, or of one' },
      load: () => require('./commands/status') as typeof import('./commands/status'),
    },
    {
      words: { restricted: 'who is restricted, since when, and why' },
      load: () => require('./commands/restricted') as typeof import('./commands/restricted'),
    },
    {
      words: { case: 'the cases of restrictions: what to check, and what was done' },
      load: () => require('./commands/case') as typeof import('./commands/case'),
    },
    {
      words: { evidence: 'what was known at the moment of a restriction' },
      load: () => require('./commands/evidence') as typeof import('./commands/evidence'),
    },
    {
      words: { block: 'restrict a tenant by hand' },
      load: () => require('./commands/block') as typeof import('./commands/block'),
    },
    {
      words: { unblock: 'lift a restriction' },
      load: () => require('./commands/unblock') as typeof import('./commands/unblock'),
    },
    {
      words: { enforcement: 'pause all refusals on all hosts, and resume them' },
      load: () => require('./commands/enforcement') as typeof import('./commands/enforcement'),
    },
    {
      words: { queue: 'queued mail of a tenant on all hosts: list it, drop it' },
      load: () => require('./commands/queue') as typeof import('./commands/queue'),
    },
  ],
  Reports: [
    {
      words: { find: 'tenants, domains, connectors, cases, and senders of the last 8 days' },
      load: () => require('./commands/find') as typeof import('./commands/find'),
    },
    {
      words: { report: 'unregistered mail by domain, connector, address, user, time' },
      load: () => require('./commands/report') as typeof import('./commands/report'),
    },
    {
      words: { unattributed: 'who relays without a tenant, and what to type' },
      load: () => require('./commands/unattributed') as typeof import('./commands/unattributed'),
    },
    {
      words: { unusual: 'what is unusual about mail, and what to tidy up' },
      load: () => require('./commands/unusual') as typeof import('./commands/unusual'),
    },
    {
      words: { events: 'the alerts of the last weeks, and new ones as they come' },
      load: () => require('./commands/events') as typeof import('./commands/events'),
    },
    {
      words: { audit: 'who changed what' },
      load: () => require('./commands/audit') as typeof import('./commands/audit'),
    },
    {
      words: { explain: 'what would happen to a message, step by step' },
      load: () => require('./commands/explain') as typeof import('./commands/explain'),
    },
  ],
  Installation: [
    {
      words: { doctor: 'whether all is well, and what to correct' },
      load: () => require('./commands/doctor') as typeof import('./commands/doctor'),
    },
    {
      words: { nodes: 'the processes of all hosts, and how they differ' },
      load: () => require('./commands/nodes') as typeof import('./commands/nodes'),
    },
    {
      words: { metrics: 'serve metrics of all hosts for Prometheus' },
      load: () => require('./commands/metrics') as typeof import('./commands/metrics'),
    },
    {
      words: { console: 'serve the web console, and let people in' },
      load: () => require('./commands/console') as typeof import('./commands/console'),
    },
    {
      words: { alert: 'test where alerts go, and snooze those of a tenant' },
      load: () => require('./commands/alert') as typeof import('./commands/alert'),
    },
    {
      words: { backup: 'write the registry to a file', restore: 'read it back' },
      load: () => require('./commands/backup') as typeof import('./commands/backup'),
    },
    {
      words: { registry: 'what a Redis lost that went back in time' },
      load: () => require('./commands/registry') as typeof import('./commands/registry'),
    },
    {
      words: { init: 'begin a new registry' },
      load: () => require('./commands/init') as typeof import('./commands/init'),
    },
    {
      words: { purge: 'delete everything under the prefix from Redis' },
      load: () => require('./commands/purge') as typeof import('./commands/purge'),
    },
    {
      words: { completion: 'completion of commands and tenants for bash, zsh or fish' },
      load: () => require('./commands/completion') as typeof import('./commands/completion'),
    },
  ],
}
/* eslint-enable @typescript-eslint/no-require-imports */

/**
 * The command line.
 *
 * @param end receives the exit status of a command that did its work and still ends with a status other than 0.
 * @param argv without node and the script: only the command it names is loaded; where it names none, the commands have
 *   their names and a few words only, for the overview. Without `argv` all are loaded.
 */
export function createProgram(
  io: Io,
  end: (status: number) => void,
  argv?: readonly string[],
): Command {
  const program = new Command('tenantctl')
    .description(
      'Tenants of a Haraka relay: their accepted domains, connectors, meters and restrictions.',
    )
    .version(VERSION, '--version', 'print the version')
    .configureHelp({ showGlobalOptions: true, helpWidth: io.columns, subcommandTerm })
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      // Errors are printed in one place, by main(), and in one line.
      writeErr: () => {},
    })
    .addHelpText('after', OVERVIEW)
  const word = argv && commandWord(argv)
  const isNamed = ({ words }: Entry): boolean => word !== undefined && Object.hasOwn(words, word)
  const isAny = Object.values(GROUPS).flat().some(isNamed)
  for (const [title, entries] of Object.entries(GROUPS)) {
    program.commandsGroup(`${title}:`)
    for (const entry of entries) {
      if (argv === undefined || isNamed(entry)) {
        entry.load().add(program, io, end, (words) => createProgram(io, end, words))
      } else if (!isAny) {
        for (const [name, words] of Object.entries(entry.words)) {
          program.command(name).description(words)
        }
      }
    }
  }
  program.helpCommand('help [command]', 'the options, examples and JSON fields of a command')
  addGlobalOptions(program)
  throwUsageErrors(program)
  return program
}

/** Of the overview, the name alone; of a command's own subcommands, their arguments too. */
function subcommandTerm(this: Help, command: Command): string {
  const isOverview = command.parent?.parent === null
  return isOverview ? command.name() : Help.prototype.subcommandTerm.call(this, command)
}

/**
 * The first word that is neither a global option nor its value, or the one behind `help`; `undefined`: there is none.
 */
function commandWord(argv: readonly string[]): string | undefined {
  const reader = new Command().exitOverride().configureOutput({ writeErr: () => {} })
  addGlobalOptions(reader)
  for (const words of [argv, argv.slice(0, -1)]) {
    try {
      const { operands } = reader.parseOptions([...words])
      return operands[0] === 'help' ? operands[1] : operands[0]
    } catch {
      // The last word is an option without its value: what is before it names the command.
    }
  }
  return undefined
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
  1  failed: Redis away, doctor found a fault, output not written …
  2  bad usage or bad input; no command, after this help
  3  no such tenant, domain or connector
  4  refused: owned by another tenant, exists with other content, restricted …
  5  done, but with --wait: not every process has confirmed it
  130  stopped by Ctrl-C or SIGTERM; the same command goes on

Errors are one line on stderr, with --json {"error": text, "status": number}.`

const { version: VERSION } = JSON.parse(
  readFileSync(path.join(packageRoot(), 'package.json'), 'utf8'),
) as { version: string }
