import { count } from '../../base/count'
import { isoTime, shortTime } from '../../base/time'
import type { ComparedNode, NodeState } from '../../nodes/compare'
import type { Node, NodeConfig } from '../../nodes/node'
import { nodeName } from '../../nodes/node-name'
import { answering, configurations, missingHosts, type Overview } from '../../nodes/overview'
import { clockText, differenceText, olderText, processes } from '../kit/node-words'
import { duration, type Cell, type Output, type Tone } from '../kit/output'

const TONES: Partial<Record<NodeState, Tone>> = { late: 'warn', missing: 'bad', draining: 'faint' }

/** `worker 3` */
export function processName({ role, worker }: Pick<Node, 'role' | 'worker'>): string {
  return role === 'worker' ? `worker ${worker}` : role
}

/** For `--json`. */
export function overviewView(overview: Overview): object {
  const { now, nodes, older } = overview
  return {
    ...{ at: isoTime(now), processes: nodes.length, hosts: hostsOf(nodes).size },
    ...{ ...countByState(nodes), older },
    versions: [...versionsOf(nodes)],
    configurations: configurations(overview),
    missing_hosts: missingHosts(overview).map(({ since, ...host }) => ({
      ...host,
      since: isoTime(since),
    })),
    nodes: nodes.map(nodeView),
  }
}

function nodeView({ node, state, differs, behind, clockOff }: ComparedNode): object {
  const { refundsWaiting, reportsWaiting, ...counters } = node.counters
  const { digest, ofHost, changed } = node.config
  return {
    ...node,
    ...{ state, differs, behind, clock_off: clockOff },
    clock: isoTime(node.clock),
    seen: isoTime(node.seen),
    started: isoTime(node.started),
    config: { digest, of_host: ofHost, changed: changed ? isoTime(changed) : null },
    counters: { ...counters, refunds_waiting: refundsWaiting, reports_waiting: reportsWaiting },
    applied: timeOf(node.applied),
    heard: timeOf(node.heard),
  }
}

function timeOf(mark: number): string | null {
  return mark === 0 ? null : isoTime(Math.floor(mark / 1000))
}

/** One line about all, a table with a line for each process. @param all with everything that a process says. */
export function printNodes(out: Output, overview: Overview, all: boolean): void {
  const { nodes, older } = overview
  out.line(summary(overview))
  if (older > 0) out.line(olderText(older), 'warn')
  if (nodes.length === 0) return
  out.line()
  let host = ''
  const rows = nodes.map((compared): Cell[] => {
    const isFirst = compared.node.host !== host
    host = compared.node.host
    return rowOf(compared, overview.now, isFirst)
  })
  const head = ['HOST', 'PROCESS', 'PID', 'VERSION', 'UP', 'SEEN', 'CHARGE P99', 'LOOP P99', '']
  out.table(head, rows, '')
  if (!all) return
  for (const { node } of nodes) {
    out.line()
    out.line(nodeName(node))
    out.facts(factsOf(node, overview.configs))
  }
}

function rowOf(compared: ComparedNode, now: number, isFirst: boolean): Cell[] {
  const { node, state } = compared
  const tone = TONES[state] ?? (notesOf(compared).length > 0 ? 'warn' : undefined)
  return [
    isFirst ? node.host : '',
    processName(node),
    { text: String(node.pid), right: true },
    node.versions.plugin,
    duration(Math.max(0, now - node.started)),
    `${duration(Math.max(0, now - node.seen))} ago`,
    { text: millis(node.charge?.p99), right: true },
    { text: millis(node.loop?.p99), right: true },
    { text: notesOf(compared).join('; '), ...(tone && { tone }) },
  ]
}

/** `4.2 ms`; `-`: there was none. */
export function millis(ms: number | undefined): string {
  return ms === undefined ? '-' : `${ms.toFixed(ms < 10 ? 1 : 0)} ms`
}

/** What is noteworthy about a process. */
export function notesOf({ node, state, differs, behind, clockOff }: ComparedNode): string[] {
  if (state === 'missing') return [`missing since ${shortTime(node.seen)}`]
  if (state === 'draining') return ['draining, does not follow']
  const { registry, counters } = node
  return [
    ...(state === 'late' ? ['silent'] : []),
    ...(registry.state === 'usable' ? [] : [`registry ${registry.state}`]),
    ...(behind > 0 ? [`behind by ${duration(behind)}`] : []),
    ...(clockOff === 0 ? [] : [clockText(clockOff)]),
    ...(counters.dropped > 0 ? [`${count(counters.dropped, 'write')} dropped`] : []),
    ...differs.map(differenceText),
  ]
}

/** `6 processes on 3 hosts, all of version 1.1.0 with one configuration` */
export function summary(overview: Overview): string {
  const { nodes } = overview
  if (nodes.length === 0) return 'no Haraka process has reported'
  const { missing, late, draining } = countByState(nodes)
  const [version, ...versions] = versionsOf(nodes)
  const configs = configurations(overview)
  const parts = [
    ...(missing > 0 ? [`${missing} missing`] : []),
    ...(late > 0 ? [`${late} silent`] : []),
    ...(draining > 0 ? [`${draining} draining`] : []),
    ...(versions.length > 0 ? [`${versions.length + 1} versions`] : []),
    ...(configs > 1 ? [`${configs} configurations`] : []),
  ]
  const whole = `${processes(nodes.length)} on ${count(hostsOf(nodes).size, 'host')}`
  if (parts.length > 0) return `${whole}: ${parts.join(', ')}`
  return `${whole}, all of version ${version ?? 'unknown'} with one configuration`
}

function countByState(nodes: readonly ComparedNode[]): Record<NodeState, number> {
  const counts = { live: 0, draining: 0, late: 0, missing: 0 }
  for (const { state } of nodes) counts[state]++
  return counts
}

function hostsOf(nodes: readonly ComparedNode[]): ReadonlySet<string> {
  return new Set(nodes.map(({ node }) => node.host))
}

function versionsOf(nodes: readonly ComparedNode[]): ReadonlySet<string> {
  return new Set(answering(nodes).map(({ node }) => node.versions.plugin))
}

function factsOf(node: Node, configs: ReadonlyMap<string, NodeConfig>): [string, Cell][] {
  const { versions, config, counters, registry } = node
  const undecided = Object.entries(counters.undecided).map(([code, number]) => `${code} ${number}`)
  return [
    ['Haraka, Node.js', `${versions.haraka || '-'}, ${versions.node}`],
    ['started', shortTime(node.started)],
    [
      'configuration',
      `${config.digest}, file of ${config.changed ? shortTime(config.changed) : '-'}`,
    ],
    ['  not the default', configText(configs.get(config.digest))],
    ['  of this host', configText(configs.get(config.ofHost))],
    ['mode', node.override ? `${node.override} (override)` : node.mode],
    ['Redis', `${node.redis}, registry ${registry.state} ${registry.epoch}`],
    ['knows', `${count(node.connectors, 'connector')}, ${count(node.tenants, 'tenant')}`],
    ['last change', node.applied === 0 ? '-' : shortTime(Math.floor(node.applied / 1000))],
    [
      'recipients',
      `${counters.accepted} accepted, ${counters.refused} refused, ${counters.deferred} deferred`,
    ],
    ['undecided', undecided.join(', ') || '0'],
    [
      'waiting',
      `${count(counters.refundsWaiting, 'refund')}, ${count(counters.reportsWaiting, 'report')}; ${counters.dropped} dropped`,
    ],
    [
      'charge',
      node.charge ? `p50 ${millis(node.charge.p50)}, p99 ${millis(node.charge.p99)}` : '-',
    ],
  ]
}

/** `[allowance] limits=200/1h; [main] mode=monitor` */
function configText(config: NodeConfig | undefined): string {
  if (!config) return 'not known'
  const keys = Object.entries(config).flatMap(([section, values]) =>
    Object.entries(values).map(([key, value]) => `[${section}] ${key}=${value}`),
  )
  return keys.join('; ') || 'none'
}
