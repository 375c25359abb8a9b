import { tenantctl } from '../../base/command-line'
import { STEP_WORDS, STEPS, type Case, type Remark } from '../../cases/case'
import type { Findings } from '../../cases/findings'
import { printKnown } from '../../cli/views/case-print'
import { form } from '../kit/forms'
import { html, NOTHING, type Html } from '../kit/html'
import type { Visit } from '../kit/page'
import { state, time } from '../kit/parts'
import { printed } from '../kit/printed'

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
        ${step === 'proof' ? NOTHING : printed((out) => printKnown(out, step, of, findings))}
        ${tick ? html`<p>Ticked ${said(tick)}</p>` : NOTHING}
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
