import { readFileSync } from 'node:fs'
import path from 'node:path'
import { Command } from 'commander'
import { packageRoot } from '../base/package-root'
import { addAlertCommands } from './commands/alert'
import { addApplyCommand } from './commands/apply'
import { addAuditCommand } from './commands/audit'
import { addBackupCommands } from './commands/backup'
import { addCaseCommands } from './commands/case'
import { addConnectorCommands } from './commands/connector'
import { addDoctorCommand } from './commands/doctor'
import { addDomainCommands } from './commands/domain'
import { addEventsCommand } from './commands/events'
import { addEvidenceCommand } from './commands/evidence'
import { addExplainCommand } from './commands/explain'
import { throwUsageErrors } from './kit/failure'
import { addGlobalOptions } from './kit/global-options'
import { addInitCommand } from './commands/init'
import type { Io } from './kit/io'
import { addQueueCommand } from './commands/queue'
import { addReportCommand } from './commands/report'
import { addRestrictionCommands } from './commands/restriction'
import { addStatusCommand } from './commands/status'
import { addSuggestCommand } from './commands/suggest'
import { addTenantCommands } from './commands/tenant'
import { addUnattributedCommand } from './commands/unattributed'
import { addUnusualCommand } from './commands/unusual'

/**
 * The whole command line.
 *
 * @param end is given the exit status of a command that has done its work and is still not content.
 */
export function createProgram(io: Io, end: (status: number) => void): Command {
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
  addTenantCommands(program, io)
  addDomainCommands(program, io)
  addConnectorCommands(program, io)
  addStatusCommand(program, io)
  addReportCommand(program, io)
  addUnattributedCommand(program, io)
  addRestrictionCommands(program, io)
  addQueueCommand(program, io)
  addUnusualCommand(program, io)
  addEventsCommand(program, io)
  addEvidenceCommand(program, io)
  addExplainCommand(program, io)
  addAlertCommands(program, io)
  addCaseCommands(program, io)
  addAuditCommand(program, io)
  addSuggestCommand(program, io)
  addApplyCommand(program, io, end)
  addDoctorCommand(program, io, end)
  addBackupCommands(program, io)
  addInitCommand(program, io)
  addGlobalOptions(program)
  throwUsageErrors(program)
  return program
}

const OVERVIEW = `
Examples:
  $ tenantctl tenant add contoso --name "Contoso Ltd"
  $ tenantctl domain add contoso contoso.com --subdomains
  $ tenantctl connector add contoso exchange --ip 192.0.2.10
  $ tenantctl status
  $ tenantctl unblock contoso --reason "password changed"

Exit status:
  0  done, or nothing was to do
  1  failed: Redis cannot be reached, doctor found a fault, the output cannot be written …
  2  bad usage or bad input
  3  no such tenant, domain or connector
  4  refused: owned by another tenant, exists with other content, restricted …

Errors are one line on stderr; with --json it is {"error": text, "status": number}.`

const { version: VERSION } = JSON.parse(
  readFileSync(path.join(packageRoot(), 'package.json'), 'utf8'),
) as { version: string }
