import { tenantctl } from '../../base/command-line'
import { STEP_WORDS, STEPS, type Case, type Remark, type Step } from '../../cases/case'
import type { Findings } from '../../cases/findings'
import { headerFromText } from '../../cli/views/header-from'
import { ownedText } from '../../cli/views/owned'
import { form } from '../kit/forms'
import { html, NOTHING, type Html } from '../kit/html'
import type { Visit } from '../kit/page'
import { outside, state, time } from '../kit/parts'

/** Facts of one kind that a page names. */
const MOST_NAMED = 10

/** Where a form leads to, and when its page was read. */
export interface From {
  readonly returnTo: string
  /** ms, server time */
  readonly seen: number
}

/** The four steps of a case, with what is known for each, and a form to tick it. */
export function checklist(visit: Visit, of: Case, findings: Findings, from: From): Html {
  return html`<ol class="checklist">
    ${STEPS.map((step) => {
      const tick = of.ticks.get(step)
      return html`<li>
        <h3>
          ${tick ? state('done', 'good') : state('to do', 'warn')} ${STEP_WORDS[step]} (${step})
        </h3>
        ${known(step, findings)} ${tick ? html`<p>Ticked ${said(tick)}</p>` : NOTHING}
        ${
          tick || of.closed
            ? NOTHING
            : form(visit, {
                ...{ ...from, to: ['cases', of.name, 'check'], button: `Tick "${step}"` },
                command: tenantctl('case', 'check', of.name, step, '--note', '…'),
                fields: [
                  { kind: 'hidden', name: 'step', value: step },
                  { kind: 'text', name: 'note', label: 'What was found and done', required: true },
                ],
              })
        }
      </li>`
    })}
  </ol>`
}

/** When, by whom, and what. */
export function said({ at, by, text }: Remark): Html {
  return html`${time(at)} by ${by}${text === '' ? '' : `: ${text}`}`
}

/** The recorded facts for a step; there are none for the last one. */
function known(step: Step, findings: Findings): Html {
  const { domains, foreign, connectors, ips, users, headerFrom } = findings
  switch (step) {
    case 'domains':
      return html`${list(
        'Domains that mail was accepted from, and that are not registered',
        domains.map(({ domain, accepted }) => counted(domain, accepted)),
      )}
      ${
        foreign.length === 0
          ? NOTHING
          : list(
              'Domains of other tenants: a wrong connector, or a takeover',
              foreign.map((each) => counted(ownedText(each), each.recipients)),
            )
      }`
    case 'connectors':
      return list(
        'Connectors to look at',
        connectors.map(({ connector, why }) => html`${connector}: ${why}`),
      )
    case 'servers':
      return html`${list('Where it came from', [
        ...ips.map(({ source, recipients }) => counted(source, recipients)),
        ...users.map(({ source, recipients }) => html`user ${counted(source, recipients)}`),
      ])}
      ${headerFrom.mismatched > 0 ? html`<p>${headerFromText(headerFrom)}</p>` : NOTHING}`
    case 'proof':
      return NOTHING
  }
}

function counted(text: string, recipients: number): Html {
  return html`${outside(text)}, ${recipients} ${recipients === 1 ? 'recipient' : 'recipients'}`
}

function list(title: string, all: readonly Html[]): Html {
  if (all.length === 0) return html`<p>${title}: none.</p>`
  const more = all.length - MOST_NAMED
  return html`<p>${title}:</p>
    <ul>
      ${all.slice(0, MOST_NAMED).map((each) => html`<li>${each}</li>`)}
      ${more > 0 ? html`<li>and ${more} more</li>` : NOTHING}
    </ul>`
}
