import { tenantctl } from '../../base/command-line'
import type { Findings } from '../../cases/findings'
import { connectorName } from '../../mail/identities'
import type { Incident } from '../../operations/incident'
import {
  reasonOf,
  stopText,
  type ConnectorFlow,
  type IncidentStep,
} from '../../operations/incident-steps'
import { openSteps } from '../../cases/case'
import { OTHER } from '../../reporting/rows'
import { form, type Field } from '../kit/forms'
import { html, NOTHING, type Html } from '../kit/html'
import type { Visit } from '../kit/page'
import { heading, outside, state } from '../kit/parts'
import { queueCommand } from '../kit/queue'
import type { WordName } from '../kit/words'
import { checklist, type From } from './checklist'

/** Unregistered domains that are linked to. */
const MOST_DOMAINS = 10

/** What is done about an incident, in this order: the word of its heading, and its form. */
const SECTIONS: readonly (readonly [IncidentStep['what'], WordName, Section])[] = [
  ['block connector', 'stopIt', stopping],
  ['register', 'registerOwn', registering],
  ['drop', 'dropQueued', dropping],
  ['tick', 'tickSteps', ticking],
  ['unblock', 'unblock', unblocking],
  ['close', 'closeCase', closing],
]

type Section = (about: About) => Html

/** What the sections are made from. */
export interface About {
  readonly visit: Visit
  readonly incident: Incident
  /** Of its case. */
  readonly findings: Findings | undefined
  readonly from: From
}

/** What a person does about an incident: what is to be done next is marked. */
export function incidentForms(about: About): Html {
  const { steps } = about.incident
  const next = SECTIONS.find(([what]) => steps.some((step) => step.what === what))?.[0]
  return html`${next === undefined ? html`<p class="empty">Nothing is left to do.</p>` : NOTHING}
  ${SECTIONS.map(
    ([what, word, section]) =>
      html`<section class="step">
        ${heading(about.visit, word)}
        ${what === next ? html`<p>${state('do this next', 'warn')}</p>` : NOTHING} ${section(about)}
      </section>`,
  )}`
}

function reasonField(incident: Incident): Field {
  return {
    ...{ kind: 'text', name: 'reason', label: 'Reason (kept and shown)', required: true },
    value: usualReason(incident),
  }
}

function usualReason({ tenant, case: record }: Incident): string {
  return reasonOf({
    tenant: tenant.id,
    case: record && { name: record.name, open: [], closed: !!record.closed },
  })
}

function stopping(about: About): Html {
  const { visit, incident, from } = about
  const known = incident.connectors.filter(
    ({ value }) => connectorName(value) !== '' && value !== OTHER,
  )
  const isProposed = ({ value }: ConnectorFlow): boolean =>
    incident.steps.some(
      (step) => step.what === 'block connector' && step.name === connectorName(value),
    )
  const others = known.filter((each) => !isProposed(each))
  const stop = (flow: ConnectorFlow): Html => connectorForm(about, flow)
  return html`${known.filter(isProposed).map(stop)}
    <details>
      <summary>Other connectors, or the tenant as a whole</summary>
      ${others.map(stop)} ${blocking(visit, incident, from)}
    </details>`
}

function connectorForm({ visit, incident, from }: About, flow: ConnectorFlow): Html {
  const name = connectorName(flow.value)
  const tenant = incident.tenant.id
  if (flow.stopped === 'removed') return NOTHING
  const isBlocked = flow.stopped === 'blocked'
  const word = isBlocked ? 'unblock' : 'block'
  return html`<h3>Connector ${name}</h3>
    <p>
      ${
        isBlocked
          ? 'It is blocked: all that it relays is refused.'
          : `${stopText(flow)}. All that it relays is refused with 550 5.7.711, on every node at once.`
      }
    </p>
    ${form(visit, {
      ...{ ...from, to: ['connectors', tenant, name, word], isDanger: !isBlocked },
      button: isBlocked ? `Let ${name} relay again` : `Block ${name}`,
      fields: [reasonField(incident)],
      command: tenantctl('connector', word, tenant, name, '--reason', usualReason(incident)),
    })}`
}

function blocking(visit: Visit, incident: Incident, from: From): Html {
  const { restriction, tenant } = incident
  if (restriction?.scope === 'all') return NOTHING
  return html`<h3>The tenant</h3>
    <p>
      ${
        restriction
          ? 'Its unregistered mail is refused already.'
          : 'Its unregistered mail is refused until a person unblocks it; mail from its accepted domains passes.'
      }
    </p>
    ${form(visit, {
      ...{ ...from, to: ['tenants', tenant.id, 'block'], isDanger: true },
      button: `Block ${tenant.id}`,
      fields: [
        reasonField(incident),
        {
          ...{ kind: 'check', name: 'all', on: restriction !== undefined },
          label: 'Refuse all mail that it relays, from its own domains too (asks first)',
        },
      ],
      command: tenantctl('block', tenant.id, '--reason', usualReason(incident)),
    })}`
}

function registering({ visit, incident }: About): Html {
  const { own, shares, tenant } = incident
  const others = shares.domain
    .map(({ value }) => value)
    .filter((value) => value !== '' && value !== OTHER && !own.includes(value))
  const links = (domains: readonly string[]): Html =>
    html`<ul>
      ${domains.slice(0, MOST_DOMAINS).map(
        (domain) =>
          html`<li>
            <a href="${visit.to(['tenants', tenant.id, 'register'], { domain })}"
              >${outside(domain)}</a
            >
          </li>`,
      )}
    </ul>`
  return html`${
    own.length === 0
      ? html`<p>No unregistered domain is probably its own, by name and mail.</p>`
      : html`<p>By name and mail these are probably its own. Ask the tenant first:</p>
          ${links(own)}`
  }
  ${
    others.length === 0
      ? NOTHING
      : html`<p>Others that it sends from. An attacker's domain must stay unregistered:</p>
          ${links(others)}`
  }`
}

function dropping({ visit, incident, from }: About): Html {
  const { tenant, connectors, steps } = incident
  const proposed = steps.flatMap((step) => (step.what === 'drop' ? [step] : []))
  const names = connectors
    .map(({ value }) => connectorName(value))
    .filter((name) => name !== '' && name !== OTHER)
  // The connector with the most unregistered mail comes first: what waits of others may be honest.
  const [first] = names.flatMap((name) =>
    proposed.filter(({ connector }) => connectorName(connector) === name),
  )
  return html`${proposed.map(({ why }) => html`<p>${why}</p>`)}
    <p>
      Unregistered and foreign mail is removed for good; registered mail stays. You see what would
      go first.
      <a href="${visit.to(['tenants', tenant.id, 'queue'])}">All that is in the queue</a>
    </p>
    ${form(visit, {
      ...{ ...from, to: ['tenants', tenant.id, 'queue', 'drop'] },
      button: 'Show what would go',
      fields: [
        {
          ...{ kind: 'choice', name: 'connector', label: 'Connector' },
          values: [['', 'any'], ...names.map((name) => [name, name] as const)],
          value: connectorName(first?.connector ?? ''),
        },
        { kind: 'text', name: 'domain', label: 'Sender domain (empty: any)' },
        { kind: 'text', name: 'sender', label: 'Sender (empty: any)' },
      ],
      command: first?.command ?? queueCommand('drop', tenant.id, []),
    })}`
}

function ticking({ visit, incident, findings, from }: About): Html {
  const { case: record } = incident
  if (!record || !findings) return html`<p class="empty">There is no case.</p>`
  return checklist(visit, record, findings, from)
}

function unblocking({ visit, incident, from }: About): Html {
  const { tenant, restriction, case: record } = incident
  const step = incident.steps.find(({ what }) => what === 'unblock')
  if (!restriction || step?.what !== 'unblock') {
    return html`<p class="empty">${tenant.id} is not restricted.</p>`
  }
  const left = record ? openSteps(record) : []
  const isRequired = visit.config.case.checklist === 'require'
  const open =
    left.length === 0
      ? NOTHING
      : html`<p>
          Not ticked: ${left.join(', ')}.
          ${isRequired ? 'It is not unblocked before they are ([case] checklist=require).' : NOTHING}
        </p>`
  const force: Field[] =
    isRequired && left.length > 0 && visit.person.role === 'admin'
      ? [{ kind: 'check', name: 'force', label: 'All the same; the case records it' }]
      : []
  return html`<p>${step.why}.</p>
    ${open}
    <p>Its unregistered mail passes again, on every node at once, and its windows start afresh.</p>
    ${form(visit, {
      ...{ ...from, to: ['tenants', tenant.id, 'unblock'], button: `Unblock ${tenant.id}` },
      fields: [
        reasonField(incident),
        {
          ...{ kind: 'text', name: 'limits', label: 'Probation: a smaller allowance' },
          ...{ value: step.limits ?? '', hint: 'such as 50/1h, 200/1d; empty: no probation' },
        },
        { kind: 'text', name: 'for', label: 'for', value: step.for },
        {
          ...{ kind: 'check', name: 'keep_usage' },
          label: 'Keep its usage: the next message may trip again',
        },
        ...force,
      ],
      command: step.command,
    })}`
}

function closing({ visit, incident, from }: About): Html {
  const { restriction, case: record } = incident
  if (!record || record.closed) return html`<p class="empty">No case is open.</p>`
  if (restriction?.case === record.name) return html`<p>After it is unblocked.</p>`
  return form(visit, {
    ...{ ...from, to: ['cases', record.name, 'close'], button: `Close case ${record.name}` },
    fields: [{ kind: 'text', name: 'note', label: 'What it was (may be empty)' }],
    command: tenantctl('case', 'close', record.name, '--note', '…'),
  })
}
