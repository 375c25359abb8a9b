import type { Command } from 'commander'
import { readIncident, type Incident } from '../../operations/incident'
import type { Config } from '../../process/config'
import type { Store } from '../../store/store'
import { contextOf, type Context } from '../kit/context'
import type { Io } from '../kit/io'
import { manual } from '../kit/manual'
import { inEffect } from '../kit/paused'
import { IncidentDialogue } from './incident-dialogue'
import { incidentView, printIncident, printSteps } from '../views/incident'

/** `tenantctl incident` */
export function add(program: Command, io: Io): void {
  const command = program
    .command('incident')
    .description(
      'all about a restricted tenant on one screen, and what to do next; on a terminal it asks step by step',
    )
    .argument('<tenant-or-case>', 'such as contoso, or contoso:3')
    .option('--show', 'ask nothing')
    .action(async (subject: string, options: { show?: boolean }, self: Command) => {
      const context = contextOf(io, self)
      const isAsked = io.asks && !context.out.json && options.show !== true
      if (!isAsked) {
        await context.connected(async (store, config) => {
          const { steps } = await show(context, store, config, subject)
          if (!context.out.json) printSteps(context.out, steps)
        })
        return
      }
      await context.writing(async (store) => {
        const incident = await show(context, store, context.config(), subject)
        await new IncidentDialogue(context, store, incident).run()
      })
    })
  manual(command, {
    examples: ['incident contoso', 'incident contoso:3 --show', 'incident contoso --json'],
    json: [
      'tenant, name, mode, at; restriction: null, or as in status; case: null, or as in case show (the latest one)',
      'minutes: array of {at, accepted, refused, deferred, registered, connector}: recipients of the last 15 minutes',
      'since: from when shares are counted; unregistered: {messages, recipients} since then',
      'connectors: array of {value, messages, recipients, share (0 to 1), registered: {messages, recipients}, stopped}',
      '  stopped: null | blocked | disabled | removed; registered: of the last two hours',
      'domains, addresses, users: arrays of {value, messages, recipients, share}',
      'changes: as in audit, newest first; own_domains: probably its own, by name and mail alone',
      'queue: {hosts: array of {host, queue, messages, recipients, held, droppable}, silent: names of hosts that did not answer,',
      '  failed: array of {host, reason}, problem: why no host was asked, or null}',
      'steps: array of {what, why, command}: what to do next, in this order',
    ],
    exit: { 3: 'no such tenant or case' },
  })
}

async function show(
  { out }: Context,
  store: Store,
  ofFile: Config,
  subject: string,
): Promise<Incident> {
  const config = await inEffect(store, ofFile, out)
  const incident = await readIncident(store, config, subject)
  out.result(incidentView(incident), () => printIncident(out, incident))
  return incident
}
