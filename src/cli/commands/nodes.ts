import type { Command } from 'commander'
import { readPause } from '../../enforcement/pause'
import { pauseLine } from '../../enforcement/words'
import { forgetHost } from '../../nodes/forget'
import { readOverview } from '../../nodes/overview'
import { allRows } from '../kit/all-rows'
import { contextOf } from '../kit/context'
import type { Io } from '../kit/io'
import { manual } from '../kit/manual'
import { processes } from '../kit/node-words'
import { pauseView } from '../views/pause'
import { overviewView, printNodes } from '../views/nodes'

/** `tenantctl nodes` */
export function add(program: Command, io: Io): void {
  const command = program
    .command('nodes')
    .description('the processes of all hosts: their versions, configurations and state')
    .option('--verbose', 'all that each process says of itself')
    .addOption(allRows())
    .action(async ({ verbose }: { readonly verbose?: boolean }, self: Command) => {
      const context = contextOf(io, self)
      const { out } = context
      await context.connected(async (store) => {
        const [overview, pause] = await Promise.all([readOverview(store), readPause(store)])
        out.result({ ...overviewView(overview), pause: pauseView(pause) }, () => {
          const line = pauseLine(pause)
          if (line !== undefined) out.line(line, 'warn')
          printNodes(out, overview, verbose === true)
        })
      })
    })
  manual(command, {
    examples: [
      'nodes',
      'nodes --verbose',
      'nodes --json | jq -r \'.nodes[] | select(.state == "missing") | .host\'',
      'nodes forget mx3.example',
    ],
    json: [
      'at; processes, hosts: how many; live, draining, late, missing: how many of the processes',
      'older: further processes, which say nothing of themselves; versions; configurations: how many different ones',
      'pause: {since, until, by, reason, everything}, or null',
      'missing_hosts: {host, processes, since}: every process is missing',
      'nodes: an array of:',
      'id, host, pid, worker (0: none), role: worker | single | console; started, seen, clock: that of its host',
      'state: live | draining (ends after its sessions) | late (silent for 15 s) | missing (for 60 s)',
      'differs: {what: version | haraka | node | config | redis | epoch | pause, section, key, is, others}',
      'behind: ms since the change that it lacks, or 0; clock_off: its clock minus that of Redis in ms, or 0',
      'versions: {plugin, haraka, node}; config: {digest, of_host, changed}; redis, mode, override, draining',
      'pause: {mark, paused}; registry: {state, epoch}; connectors, tenants: how many it knows',
      'applied, heard: the last change that it has in effect, and has heard of',
      'counters since its start: accepted, refused, deferred recipients, undecided by code,',
      '  refunds_waiting, reports_waiting, dropped, held: queued messages that wait for a restriction',
      'charge: {p50, p99}, loop: {p99} of the last minute in ms, or null',
    ],
  })
  addForget(command, io)
}

function addForget(nodes: Command, io: Io): void {
  const command = nodes
    .command('forget')
    .description('forget the processes of a host that is gone for good')
    .argument('<host>', 'its name, as nodes shows it')
    .action(async (host: string, _options: object, self: Command) => {
      const context = contextOf(io, self)
      const { out } = context
      // Not `writing`: it is no part of the registry, which may be lost.
      await context.connected(async (store, { redis }) => {
        const forgotten = await forgetHost(await context.signed(store, redis), host)
        out.result({ host, forgotten }, () =>
          out.line(`forgot ${host}: ${processes(forgotten)}`, 'good'),
        )
      })
    })
  manual(command, {
    examples: ['nodes forget mx3.example'],
    json: ['host, forgotten: how many processes'],
    exit: { 3: 'no process of that host has reported', 4: 'one has reported in the last 15 s' },
  })
}
