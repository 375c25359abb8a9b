// What comes after the trip: why it happened, what is done about it, and what is known of that afterwards.
import { waitFor } from '../services/wait-for'
import type { Operator } from './operator'
import type { Page } from './page'

const STEPS = {
  domains: 'the banks are not theirs, and gone; the conference tool may go on',
  connectors: 'one, and their admin knows it',
  servers: 'malware removed, password changed, queue cleaned',
  proof: 'their log of an hour without any of it',
}

/** Report and evidence of the trip of Contoso. */
export async function tellCause(operator: Operator, page: Page): Promise<void> {
  // It is frozen a moment after the trip, when all processes have said what they saw.
  await waitFor(async () => (await operator.tries('evidence contoso')).status === 0, {
    what: 'the evidence of the trip',
  })
  page.chapter('Why: what was sent, through which connector, from where')
  page.text('The report names the domains, where they came from, and samples to look for in logs:')
  page.gap()
  await operator.types('report contoso')
  page.gap()
  page.text(
    'The evidence was frozen when it tripped, and stays until 30 days after the case is closed:',
  )
  page.gap()
  await operator.types('evidence contoso')
}

/** The case that the trip has opened. */
export async function workThroughCase(operator: Operator, page: Page): Promise<void> {
  page.chapter('The case: four steps before anything is lifted')
  page.text('The restriction has opened a case, which knows what is to be looked at:')
  page.gap()
  await operator.types('case show contoso:1')
  page.gap()
  page.text(
    'Contoso cleans its server, and the operator ticks the steps, each with what was found:',
  )
  page.gap()
  for (const [step, note] of Object.entries(STEPS)) {
    await operator.types(`case check contoso:1 ${step} --note "${note}"`)
  }
}

/** Who has done what. */
export async function tellTrail(operator: Operator, page: Page): Promise<void> {
  page.chapter('The case is closed, and the trail stays')
  await operator.types('case close contoso:1 --note "a stolen password, changed"')
  page.gap()
  page.text('Every change is kept for a year, with who made it:')
  page.gap()
  await operator.types('audit contoso')
}
