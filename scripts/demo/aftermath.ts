// After the trip: its cause, the work on its case, and the audit trail.
import { waitFor } from '../services/wait-for'
import type { Operator } from './operator'
import type { Page } from './page'

const STEPS = {
  domains: 'the bank domains are not theirs; the conference tool may go on',
  connectors: 'one, known to their admin',
  servers: 'malware removed, password changed, queue cleaned',
  proof: 'an hour of their log without such mail',
}

/** Report and evidence of the trip of Contoso. */
export async function showCause(operator: Operator, page: Page): Promise<void> {
  // It is frozen a moment after the trip, when all processes have reported their mail.
  await waitFor(async () => (await operator.tries('evidence contoso')).status === 0, {
    what: 'the evidence of the trip',
  })
  page.chapter('Right now: who sends how much')
  page.text('Without --once it is a live screen, with the sources of each tenant behind Enter:')
  page.gap()
  await operator.types('top --once')

  page.chapter('Why: what was sent, through which connector, from where')
  page.text('The report names the domains, their sources, and samples to search for in logs:')
  page.gap()
  await operator.types('report contoso')
  page.gap()
  page.text(
    'The evidence was frozen at the trip, and is kept until 30 days after the case is closed:',
  )
  page.gap()
  await operator.types('evidence contoso')
}

/** The case opened by the trip. */
export async function workThroughCase(operator: Operator, page: Page): Promise<void> {
  page.chapter('The case: four steps before anything is lifted')
  page.text('The restriction has opened a case, which lists what to check:')
  page.gap()
  await operator.types('case show contoso:1')
  page.gap()
  page.text('Contoso cleans its server, and the operator ticks the steps, each with the finding:')
  page.gap()
  for (const [step, note] of Object.entries(STEPS)) {
    await operator.types(`case check contoso:1 ${step} --note "${note}"`)
  }
}

/** Closes the case, and shows the audit trail. */
export async function tellTrail(operator: Operator, page: Page): Promise<void> {
  page.chapter('The case is closed, and the audit trail stays')
  await operator.types('case close contoso:1 --note "a stolen password, changed"')
  page.gap()
  page.text('Every change is kept for a year, with the name of its author:')
  page.gap()
  await operator.types('audit contoso')
}
