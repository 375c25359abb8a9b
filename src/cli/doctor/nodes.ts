import { tenantctl } from '../../base/command-line'
import { shortTime } from '../../base/time'
import type { ComparedNode, Difference } from '../../nodes/compare'
import { nodeName } from '../../nodes/node-name'
import { missingHosts, readOverview, type Overview } from '../../nodes/overview'
import { isNotAllowed } from '../../store/failure'
import type { Store } from '../../store/store'
import { clockText, differenceText, olderText, processes } from '../kit/node-words'
import { duration } from '../kit/output'
import { fail, ok, warn, type Line } from './line'

/** Checks that the processes of all hosts are there, and are alike. */
export async function checkNodes(store: Store): Promise<Line[]> {
  try {
    return judgeNodes(await readOverview(store))
  } catch (error) {
    if (!isNotAllowed(error)) throw error
    const advice = 'load docs/acl/tenantctl.acl or docs/acl/tenantctl-read.acl'
    return [warn('nodes', 'the processes of all hosts were not checked', advice)]
  }
}

/** What there is to say of all processes. */
function judgeNodes(overview: Overview): Line[] {
  const { nodes, now, older } = overview
  const gone = missingHosts(overview)
  const isGone = new Set(gone.map(({ host }) => host))
  const lines = [
    ...gone.map(({ host, since, processes: all }) =>
      fail(
        'nodes',
        `${host} is missing since ${shortTime(since)}, with ${processes(all)}`,
        `start Haraka there; if the host is gone for good: ${tenantctl('nodes', 'forget', host)}`,
        { subject: host, problem: 'hosts are missing' },
      ),
    ),
    ...nodes.filter(({ node }) => !isGone.has(node.host)).flatMap((each) => judgeNode(each, now)),
    ...once(nodes, clockLine),
    ...differences(nodes),
    ...(older > 0 ? [warn('nodes', olderText(older), OLDER_ADVICE)] : []),
  ]
  if (lines.length > 0) return lines
  if (nodes.length === 0) return [ok('nodes', 'no Haraka process has reported')]
  return [ok('nodes', `${processes(nodes.length)} report, and are alike`)]
}

const OLDER_ADVICE = 'update the plugin on their hosts, or load docs/acl/plugin.acl'

function judgeNode({ node, state, behind }: ComparedNode, now: number): Line[] {
  const name = nodeName(node)
  if (state === 'missing' || state === 'late') {
    const kind = { subject: name, problem: 'processes are silent' }
    const message = `${name} (pid ${node.pid}) says nothing for ${duration(now - node.seen)}`
    return [
      warn('nodes', message, 'it hangs, is stopped, or cannot reach Redis: see its log', kind),
    ]
  }
  if (state === 'live' && ['lost', 'newer'].includes(node.registry.state)) {
    const kind = { subject: name, problem: 'processes know another registry' }
    const message = `${name} does not know the registry in Redis: ${node.registry.state}`
    return [fail('nodes', message, 'tenantctl registry status, and the log of that host', kind)]
  }
  if (behind === 0) return []
  const kind = { subject: name, problem: 'processes are behind' }
  const message = `${name} lacks changes of the last ${duration(behind)}`
  return [fail('nodes', message, 'see its log; restart Haraka on that host', kind)]
}

function clockLine({ node, clockOff }: ComparedNode): Line | undefined {
  if (clockOff === 0) return undefined
  return warn(
    'clock',
    `${node.host}: ${clockText(clockOff)} of that of Redis`,
    'let both follow NTP: times in logs and mail are wrong; allowances count by the clock of Redis',
    { subject: node.host, problem: 'hosts have a wrong clock' },
  )
}

/** The line of each host once. */
function once(
  nodes: readonly ComparedNode[],
  lineOf: (node: ComparedNode) => Line | undefined,
): Line[] {
  const lines = new Map<string, Line>()
  for (const each of nodes) {
    const line = lineOf(each)
    if (line && !lines.has(each.node.host)) lines.set(each.node.host, line)
  }
  return [...lines.values()]
}

/** What an operator should make alike. Each host may name Redis in its own way. */
const MENDED: Readonly<Record<Exclude<Difference['what'], 'redis'>, string>> = {
  version: 'update the plugin there, and restart Haraka',
  haraka: 'update Haraka there',
  node: 'update Node.js there',
  config: 'make unregistered-domain.ini alike on all hosts; some keys need a restart',
  epoch: 'tenantctl registry status, and the log of that host',
  pause: 'see its log: the change was not announced there, or not allowed by docs/acl/plugin.acl',
}

/** Each difference of a host once. */
function differences(nodes: readonly ComparedNode[]): Line[] {
  const lines = new Map<string, Line>()
  for (const { node, differs } of nodes) {
    for (const difference of differs) {
      const { what } = difference
      if (what === 'redis') continue
      const message = `${node.host} differs: ${differenceText(difference)}`
      const kind = { subject: node.host, problem: 'things differ from host to host' }
      lines.set(message, warn('alike', message, MENDED[what], kind))
    }
  }
  return [...lines.values()]
}
