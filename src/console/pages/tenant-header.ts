import { shareOf, type WindowUsage } from '../../allowance/usage'
import { METERS, RESTRICTING_FIRST } from '../../mail/meters'
import { formatWindow } from '../../mail/limits'
import type { Tenant } from '../../mail/tenant'
import { describeTrigger } from '../../mail/trigger'
import { managingFile } from '../../operations/managed'
import { MUCH, StatusReader, type FullStatus } from '../../operations/status'
import { existingTenant } from '../../operations/tenants'
import { managedText } from '../../cli/kit/managed'
import { COMMAND_TIMEOUT } from '../../cli/kit/store'
import { forecastLines, refusedWords } from '../../cli/views/status-words'
import { temporaryTexts } from '../../cli/views/temporary'
import { html, NOTHING, type Html } from '../kit/html'
import type { Visit } from '../kit/page'
import { facts, outside, state, time, type Cell } from '../kit/parts'

/** The tabs of a tenant: what follows `/tenants/:tenant` in the path, and the word. */
const TABS = [
  ['', 'Allowance'],
  ['report', 'Report'],
  ['domains', 'Domains'],
  ['connectors', 'Connectors'],
  ['cases', 'Cases'],
  ['audit', 'Audit'],
  ['settings', 'Settings'],
] as const

/** What follows `/tenants/:tenant` in the path of a tab. */
export type Tab = (typeof TABS)[number][0]

/** The upper part of each page of a tenant. */
export interface TenantHeader {
  readonly tenant: Tenant
  readonly status: FullStatus
  /** Name, state and meters: for `live` of the page, before what else is live. */
  readonly live: Html
  /** Links to the tabs: for `rest` of the page, as its first part. */
  readonly tabs: Html
}

/**
 * Reads what every page of a tenant shows.
 *
 * @param tab which of the tabs the page is.
 * @throws {NotFoundError} no such tenant.
 */
export async function tenantHeader(visit: Visit, tab: Tab): Promise<TenantHeader> {
  const { store, config, params } = visit
  const tenant = await existingTenant(store, params['tenant'] ?? '')
  const [status, file] = await Promise.all([
    new StatusReader(store, config, COMMAND_TIMEOUT).one(tenant),
    managingFile(store, tenant.id),
  ])
  return { tenant, status, live: liveOf(visit, status, file), tabs: tabsOf(visit, tenant.id, tab) }
}

/** Links to all pages of a tenant. */
function tabsOf(visit: Visit, tenant: string, tab: Tab): Html {
  return html`<nav class="tabs" aria-label="Pages of ${tenant}">
    <ul>
      ${TABS.map(([segment, text]) => {
        const link = visit.to(['tenants', tenant, ...(segment ? [segment] : [])])
        const current = segment === tab ? html` aria-current="page"` : NOTHING
        return html`<li><a href="${link}" ${current}>${text}</a></li>`
      })}
    </ul>
  </nav>`
}

function liveOf(visit: Visit, status: FullStatus, file: string | undefined): Html {
  const { tenant } = status
  return html`<h1>
      ${tenant.name}${tenant.name === tenant.id ? NOTHING : html` <small>${tenant.id}</small>`}
    </h1>
    ${facts([
      ...stateFacts(visit, status),
      ['Mode', `${status.mode}${status.modeSource}`],
      ...forecastLines(status).map((line) => ['At this pace', state(line, 'warn')] as const),
      ...(file === undefined ? [] : [['Managed by', managedText(tenant.id, file)] as const]),
    ])}
    ${meterBars(status)}`
}

function stateFacts(visit: Visit, status: FullStatus): (readonly [string, Cell])[] {
  const { restriction, usage, lifted, tenant } = status
  const { probation, temporary, wouldTrip } = usage
  const lines: (readonly [string, Cell])[] = []
  if (restriction) {
    const incident = visit.to(['incidents', restriction.case || tenant.id])
    lines.push(
      [
        'State',
        html`${state('restricted', 'bad')} since ${time(restriction.since)}:
          ${refusedWords(status)}. <a href="${incident}">Open the incident</a>`,
      ],
      ['By', restriction.by],
      ['Reason', restriction.reason],
    )
    if (restriction.trigger) {
      lines.push(['Trigger', outside(describeTrigger(restriction.trigger))])
    }
  } else if (probation) {
    lines.push([
      'State',
      html`${state('on probation', 'warn')} until ${time(probation.until)}: ${probation.limits}`,
    ])
  } else {
    lines.push(['State', state('not restricted', 'good')])
  }
  if (wouldTrip) {
    const would = html`${state('would be restricted', 'warn')} since ${time(wouldTrip.since)}`
    lines.push(['In mode enforce', html`${would}: ${outside(describeTrigger(wouldTrip))}`])
  }
  for (const [name, text] of temporaryTexts(temporary)) {
    lines.push([`For some time: ${name}`, state(text, 'warn')])
  }
  if (lifted) {
    lines.push(['Last lifted', html`${time(lifted.at)} by ${lifted.by}: ${lifted.reason}`])
  }
  return lines
}

function meterBars({ usage }: FullStatus): Html {
  const bars = RESTRICTING_FIRST.flatMap((meter) => {
    const windows = usage[meter]
    const { name } = METERS[meter].words
    if (windows?.length === 0) return [html`<li>${name}: unlimited</li>`]
    return (windows ?? []).map((each) => html`<li>${meterBar(name, each)}</li>`)
  })
  return html`<ul class="meters">
    ${bars}
  </ul>`
}

/** `unregistered mail: 127 of 300 recipients in 1h, 42 %` with a bar. @param name of the meter. */
function meterBar(name: string, window: WindowUsage): Html {
  const { used, limit } = window
  const text = `${name}: ${used} of ${limit} recipients in ${formatWindow(window.window)}, ${percent(window)}`
  const most = Math.max(limit, 1)
  return html`<meter
      min="0"
      max="${most}"
      high="${most * MUCH}"
      optimum="0"
      value="${Math.min(used, most)}"
      aria-label="${text}"
    ></meter>
    ${text}${window.defer ? ' (then 4xx, and no restriction)' : ''}`
}

/** `42 %` of a limit. */
export function percent(window: WindowUsage): string {
  return `${Math.floor(shareOf(window) * 100)} %`
}
