import { tenantctl } from '../../base/command-line'
import { NotFoundError } from '../../base/errors'
import type { Case } from '../../cases/case'
import { Cases } from '../../cases/cases'
import type { Evidence } from '../../cases/evidence'
import { forTenant } from '../../cases/for-tenant'
import { readEvidence } from '../../cases/read-evidence'
import { printEvidence } from '../../cli/views/evidence'
import { printTenantEvidence } from '../../cli/views/tenant-evidence'
import { describeTrigger } from '../../mail/trigger'
import { serverTime } from '../../store/server-clock'
import { form } from '../kit/forms'
import { html, NOTHING, type Html } from '../kit/html'
import type { Page, Visit } from '../kit/page'
import { facts, heading, outside, sameCommand, time, type Cell } from '../kit/parts'
import { printed } from '../kit/printed'
import { caseState } from './cases'
import { checklist, said, type From } from './checklist'
import { onCase } from './on-case'
import { findingsFor } from './whole-reports'

/** A case: its record, its checklist, notes and evidence. */
export const CASE: Page = {
  path: '/cases/:case',
  least: 'viewer',
  async show(visit) {
    const { store, params } = visit
    const cases = new Cases(store)
    const of = await cases.existing(await cases.nameOf(params['case'] ?? ''))
    const { name, tenant } = of
    const title = `Case ${name}`
    const live = html`<h1>${title}</h1>
      ${facts(record(of))}`
    if (visit.isPoll) return { title, live, rest: NOTHING }
    const now = await serverTime(store.client)
    const findings = await findingsFor(visit, of)
    const from = { returnTo: visit.to(['cases', name]), seen: now }
    return {
      ...{ title, live },
      rest: html`<p>
          <a href="${visit.to(['incidents', name])}">The incident, and what to do about it</a> ·
          <a href="${visit.to(['tenants', tenant])}">${tenant}</a>
        </p>
        ${onCase(visit, of, from)} ${heading(visit, 'tickSteps')}
        ${checklist(visit, of, findings, from)} ${notes(visit, of, from)} ${close(visit, of, from)}
        ${heading(visit, 'evidence')} ${await evidence(visit, name)}
        ${sameCommand(tenantctl('case', 'show', name))}`,
    }
  },
}

/** The evidence of a case without other tenants, operators and reasons: to print or to send. */
export const CASE_PRINT: Page = {
  path: '/cases/:case/print',
  least: 'viewer',
  async show(visit) {
    const name = visit.params['case'] ?? ''
    const found = visit.isPoll ? undefined : forTenant(await readEvidence(visit.store, name))
    return {
      title: `Restriction of ${found?.tenant ?? name}`,
      rest: found
        ? html`<h1>Restriction of ${found.tenant}</h1>
            ${printed((out) => printTenantEvidence(out, found))}
            ${sameCommand(tenantctl('evidence', name, '--for-tenant'))}`
        : NOTHING,
    }
  },
}

function record(of: Case): (readonly [string, Cell])[] {
  const { trigger, taken, lifted, probation, closed } = of
  return [
    ['Tenant', of.tenant],
    ['State', caseState(of)],
    ['Opened', html`${time(of.opened)} by ${of.by}`],
    ['Reason', of.reason],
    ...(trigger ? [['Trigger', outside(describeTrigger(trigger))] as const] : []),
    ...(closed
      ? []
      : [['On it', taken ? html`${taken.by} since ${time(taken.at)}` : 'no person'] as const]),
    ...(lifted ? [['Lifted', said(lifted)] as const] : []),
    ...(probation
      ? [['Probation', html`${probation.limits} until ${time(probation.until)}`] as const]
      : []),
    ...(closed ? [['Closed', said(closed)] as const] : []),
  ]
}

function notes(visit: Visit, { name, notes: all }: Case, { returnTo }: From): Html {
  return html`${heading(visit, 'notes')}
  ${
    all.length === 0
      ? html`<p class="empty">No notes.</p>`
      : html`<ul>
          ${all.map((each) => html`<li>${said(each)}</li>`)}
        </ul>`
  }
  ${form(visit, {
    ...{ returnTo, to: ['cases', name, 'note'], button: 'Add a note' },
    fields: [{ kind: 'text', name: 'note', label: 'Note', required: true }],
    command: tenantctl('case', 'note', name, '…'),
  })}`
}

function close(visit: Visit, { name, closed, lifted }: Case, from: From): Html {
  if (closed || !lifted) return NOTHING
  return html`${heading(visit, 'closeCase')}
  ${form(visit, {
    ...{ ...from, to: ['cases', name, 'close'], button: `Close case ${name}` },
    fields: [{ kind: 'text', name: 'note', label: 'What it was (may be empty)' }],
    command: tenantctl('case', 'close', name, '--note', '…'),
  })}`
}

async function evidence(visit: Visit, name: string): Promise<Html> {
  let found: Evidence
  try {
    found = await readEvidence(visit.store, name)
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error
    return html`<p class="empty">${error.message}</p>`
  }
  return html`<details>
      <summary>What was known when it was restricted</summary>
      ${printed((out) => printEvidence(out, found))}
    </details>
    <p>
      <a href="${visit.to(['cases', name, 'print'])}">To print for the tenant</a>: without other
      tenants, operators and reasons
    </p>`
}
