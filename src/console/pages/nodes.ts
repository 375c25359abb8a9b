import { tenantctl } from '../../base/command-line'
import { olderText } from '../../cli/kit/node-words'
import { duration } from '../../cli/kit/output'
import { millis, notesOf, processName, summary } from '../../cli/views/nodes'
import type { ComparedNode, NodeState } from '../../nodes/compare'
import { missingHosts } from '../../nodes/overview'
import { form } from '../kit/forms'
import { html, NOTHING } from '../kit/html'
import type { Page } from '../kit/page'
import { heading, sameCommand, state, table, type Cell, type Tone } from '../kit/parts'
import { nodesNow } from './stripe'

/** Processes that the page shows. */
const MOST = 500

const TONES: Readonly<Record<NodeState, Tone>> = {
  ...{ live: 'good', draining: 'warn', late: 'warn', missing: 'bad' },
}

export const NODES: Page = {
  path: '/nodes',
  least: 'viewer',
  async show(visit) {
    const overview = await nodesNow(visit)
    const { nodes, now, older } = overview
    const more = nodes.length - MOST
    return {
      title: 'Hosts and processes',
      live: html`${heading(visit, 'nodes', 1)}
        <p>${summary(overview)}.</p>
        ${older > 0 ? html`<p class="hint">${olderText(older)}</p>` : NOTHING}
        ${table(
          'Processes',
          [
            ...['Host', 'Process', 'PID', 'State', 'Version', 'Up', 'Seen', 'To look at'],
            ...NUMBERS.map((title) => ({ title, isNumber: true })),
          ],
          nodes.slice(0, MOST).map((each) => rowOf(each, now)),
          'No Haraka process has reported. Each that has the plugin does so every five seconds.',
        )}
        ${more > 0 ? html`<p class="hint">${more} more processes are not shown.</p>` : NOTHING}`,
      rest: html`${missingHosts(overview).map(
        ({ host }) =>
          html`<h2>${host} is missing</h2>
            <p>Start Haraka there. If the host is gone for good, forget it.</p>
            ${form(visit, {
              to: ['nodes', host, 'forget'],
              button: `Forget ${host}`,
              command: tenantctl('nodes', 'forget', host),
              ...({ isDanger: true, least: 'admin' } as const),
            })}`,
      )}
      ${sameCommand(tenantctl('nodes', '--verbose'))}`,
    }
  },
}

const NUMBERS = [
  'Accepted (recipients)',
  'Refused (recipients)',
  'Deferred (recipients)',
  'Charge p99',
  'Event loop p99',
]

function rowOf(compared: ComparedNode, now: number): Cell[] {
  const { node, state: is } = compared
  const { accepted, refused, deferred } = node.counters
  return [
    ...[node.host, processName(node), node.pid, state(is, TONES[is]), node.versions.plugin],
    duration(Math.max(0, now - node.started)),
    `${duration(Math.max(0, now - node.seen))} ago`,
    notesOf(compared).join('; '),
    ...[accepted, refused, deferred, millis(node.charge?.p99), millis(node.loop?.p99)],
  ]
}
