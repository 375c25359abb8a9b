import { openSteps, STEPS, type Case } from '../../cases/case'
import { Cases, type NewestCases } from '../../cases/cases'
import { count } from '../../base/count'
import { tenantctl } from '../../base/command-line'
import { describeTrigger } from '../../mail/trigger'
import { html, NOTHING, type Html } from '../kit/html'
import type { Page, Visit } from '../kit/page'
import { heading, outside, sameCommand, state, table, time } from '../kit/parts'
import { tenantHeader } from './tenant-header'

/** Cases that are read, the newest ones, and rows that are shown. */
const MOST_READ = 1000
const MOST_SHOWN = 200

export const CASES: Page = {
  path: '/cases',
  least: 'viewer',
  async show(visit) {
    const found = visit.isPoll ? NONE : await new Cases(visit.store).newest(MOST_READ)
    return {
      title: 'Cases',
      rest: html`${heading(visit, 'cases', 1)} ${caseTable(visit, found, ['cases'])}
      ${sameCommand(tenantctl('case', 'list'))}`,
    }
  },
}

export const TENANT_CASES: Page = {
  path: '/tenants/:tenant/cases',
  least: 'viewer',
  async show(visit) {
    const { tenant, live, tabs } = await tenantHeader(visit, 'cases')
    const found = visit.isPoll ? NONE : await new Cases(visit.store).newest(MOST_READ, tenant.id)
    return {
      ...{ title: `Cases of ${tenant.id}`, live },
      rest: html`${tabs} ${heading(visit, 'cases')}
      ${caseTable(visit, found, ['tenants', tenant.id, 'cases'])}
      ${sameCommand(tenantctl('case', 'list', tenant.id))}`,
    }
  },
}

const NONE: NewestCases = { cases: [], older: 0 }

/** The state of a case in a word. */
export function caseState({ closed, lifted }: Case): Html {
  if (closed) return state('closed', 'good')
  return lifted ? state('lifted', 'warn') : state('restricted', 'bad')
}

/** Open cases first; closed ones where they are asked for. @param path of the page. */
function caseTable(visit: Visit, { cases, older }: NewestCases, path: readonly string[]): Html {
  const open = cases.filter(({ closed }) => !closed)
  const closed = cases.filter((each) => each.closed)
  const isAll = visit.query.has('all')
  const all = isAll ? [...open, ...closed] : open
  const shown = all.slice(0, MOST_SHOWN)
  const more = all.length - shown.length
  return html`<p>
      ${
        isAll
          ? html`<a href="${visit.to(path)}">Open cases only</a>`
          : html`<a href="${visit.to(path, { all: 'yes' })}"
              >Closed cases too (${closed.length})</a
            >`
      }
    </p>
    ${table(
      isAll ? 'Cases' : 'Open cases',
      ['Case', 'Opened', 'State', 'On it', 'By', 'Steps', 'Reason'],
      shown.map((each) => [
        html`<a href="${visit.to(['cases', each.name])}">${each.name}</a>`,
        time(each.opened),
        caseState(each),
        each.taken?.by ?? '',
        each.by,
        `${STEPS.length - openSteps(each).length} of ${STEPS.length}`,
        each.trigger ? outside(describeTrigger(each.trigger)) : each.reason,
      ]),
      isAll
        ? 'There are no cases.'
        : 'No case is open: each restriction of a tenant opens one, and a person closes it.',
    )}
    ${more > 0 ? html`<p>${count(more, 'more case')} not shown.</p>` : NOTHING}
    ${older > 0 ? html`<p>${count(older, 'older case')} not looked at.</p>` : NOTHING}`
}
