import { tenantctl } from '../../base/command-line'
import { UserError } from '../../base/errors'
import { connectorName } from '../../mail/identities'
import { formatLimits, parseDuration, parseLimits } from '../../mail/limits'
import { blockConnector } from '../../operations/connector-block'
import type { Incident } from '../../operations/incident'
import { reasonOf, type IncidentStep } from '../../operations/incident-steps'
import { amountText } from '../../operations/queue'
import { askQueues, dropFromQueues, sumOf } from '../../operations/queue-orders'
import { registerDomains } from '../../operations/register-domains'
import { unblock } from '../../operations/unblock'
import { checkCase, closeCase } from '../../operations/work-on-case'
import { parseQueueFilter } from '../../outbound/filter'
import type { Store } from '../../store/store'
import { acceptedReason, acceptedText } from '../kit/actor'
import type { Context } from '../kit/context'
import { noteManaged } from '../kit/managed'
import { printConfirmation } from '../views/confirmation'
import { printSteps, TITLES } from '../views/incident'
import { missingLines } from '../views/queue'

/** Asks for each step whether to do it, and does it. */
export class IncidentDialogue {
  private reason: string | undefined

  constructor(
    private readonly context: Context,
    private readonly store: Store,
    private readonly incident: Incident,
  ) {}

  async run(): Promise<void> {
    const { steps } = this.incident
    if (steps.length === 0) printSteps(this.context.out, steps)
    for (const step of steps) {
      this.context.out.line()
      this.context.out.line(`${TITLES[step.what]}: ${step.why}`)
      this.context.out.line(`  ${step.command}`, 'faint')
      try {
        await this.take(step)
      } catch (error) {
        // A step that is refused does not end the others.
        if (!(error instanceof UserError)) throw error
        this.context.out.line(error.message, 'bad')
      }
    }
  }

  private async take(step: IncidentStep): Promise<void> {
    switch (step.what) {
      case 'block connector':
        return this.blockConnector(step.name)
      case 'drop':
        return this.drop(step.connector)
      case 'register':
        return this.register(step.domains)
      case 'tick':
        return this.tick(step)
      case 'unblock':
        return this.unblock(step)
      case 'close':
        return this.close(step.case)
    }
  }

  private async blockConnector(name: string): Promise<void> {
    const { by, out } = this.context
    if (!(await this.agrees(`Block connector ${name}?`))) return
    const reason = await this.askReason()
    const { confirmation } = await blockConnector(this.store, this.tenant, name, { by, reason })
    out.line(`blocked connector ${this.tenant}/${name}: all that it relays is refused`)
    printConfirmation(out, confirmation, 'blockConnector')
  }

  /** Of the list that was just confirmed, and nothing that came after it. */
  private async drop(connector: string): Promise<void> {
    const { out } = this.context
    const where = [parseQueueFilter(`connector=${connectorName(connector)}`)]
    const list = await askQueues(this.store, { tenant: this.tenant, where, for: 'drop' })
    const found = sumOf(list.hosts.map(({ toDrop }) => toDrop))
    if (found.messages === 0) {
      out.line('nothing of it is left in the queue')
      return
    }
    if (!(await this.agrees(`Remove ${amountText(found)} permanently?`))) return
    const dropped = await dropFromQueues(this.store, list)
    const done = sumOf(dropped.hosts.map((each) => each.dropped))
    out.line(`removed ${amountText(done)}`)
    for (const line of missingLines(dropped)) out.line(line, 'warn')
  }

  private async register(domains: readonly string[]): Promise<void> {
    const { by, out } = this.context
    if (!(await this.agrees(`Register ${domains.join(', ')} for ${this.tenant}?`))) return
    await noteManaged(this.context, this.store, this.tenant)
    const { neverRegister } = this.context.needed('registry').registry
    const entries = domains.map((domain) => ({ domain, subdomains: false, shared: false }))
    const { added } = await registerDomains(this.store, this.tenant, entries, {
      ...{ by, anyProvider: false, neverRegister },
    })
    out.line(`added ${added.join(', ')} to ${this.tenant}`)
  }

  private async tick({ case: name, steps }: IncidentStep & { what: 'tick' }): Promise<void> {
    const { by, out } = this.context
    const note = await this.context.answer(`What was found and done (empty: leave them open)? `)
    if (note === '') return
    const text = acceptedText('the note', note)
    await checkCase(this.store, name, steps, { by, text })
    out.line(`ticked ${steps.join(', ')} of case ${name}`)
  }

  private async unblock({ limits, for: time }: IncidentStep & { what: 'unblock' }): Promise<void> {
    const { by, out } = this.context
    const { tenant } = this
    const { case: rules, allowance } = this.context.needed('case', 'allowance')
    if (!(await this.agrees(`Unblock ${tenant}?`))) return
    const reason = await this.askReason()
    const terms = limits === undefined ? undefined : await this.askProbation(limits, time)
    const unblocked = await unblock(
      this.store,
      tenant,
      { reason, by, keepUsage: false, probation: terms, force: false },
      { checklist: rules.checklist, allowance: allowance.limits },
    )
    const { probation, case: name, confirmation } = unblocked
    const holds = probation ? `, on probation: ${probation.limits} for ${time}` : ''
    out.line(`unblocked ${tenant}, its windows start afresh${holds}`)
    printConfirmation(out, confirmation, 'unblock')
    if (name !== undefined) {
      out.line(`when all is done: ${tenantctl('case', 'close', name)}`, 'faint')
    }
  }

  private async askProbation(
    limits: string,
    time: string,
  ): Promise<{ limits: string; duration: number } | undefined> {
    const question = `Probation for ${time}: limits, Enter for "${limits}", or "none"? `
    const answer = (await this.context.answer(question)) || limits
    if (answer === 'none') return undefined
    return { limits: formatLimits(parseLimits(answer)), duration: parseDuration('for', time) }
  }

  private async close(name: string): Promise<void> {
    const { by, out } = this.context
    if (!(await this.agrees(`Close case ${name}?`))) return
    await closeCase(this.store, name, { by, text: '' })
    out.line(`closed case ${name}`)
  }

  /** Asked once, before the first change that needs one. */
  private async askReason(): Promise<string> {
    const { tenant, case: record } = this.incident
    const usual = reasonOf({
      tenant: tenant.id,
      case: record && { name: record.name, open: [], closed: false },
    })
    this.reason ??= acceptedReason(
      (await this.context.answer(`Reason (kept and shown; Enter for "${usual}")? `)) || usual,
    )
    return this.reason
  }

  private agrees(question: string): Promise<boolean> {
    return this.context.confirmed(`${question} [y/N] `)
  }

  private get tenant(): string {
    return this.incident.tenant.id
  }
}
