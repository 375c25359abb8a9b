import type { ProbationTerms } from '../../allowance/restriction'
import { tenantctl } from '../../base/command-line'
import { InputError } from '../../base/errors'
import { openSteps } from '../../cases/case'
import { blockedLine } from '../../cli/views/block'
import { lossLines } from '../../cli/views/loss'
import { probationLine, resultLine } from '../../cli/views/unblock'
import { formatLimits, parseDuration, parseLimits } from '../../mail/limits'
import { USUAL_SCOPE, type Scope } from '../../mail/scope'
import { block } from '../../operations/block'
import { readGoingOn, triedLately } from '../../operations/incident'
import { goesOnText } from '../../operations/incident-steps'
import { lossOfTenant } from '../../operations/loss'
import { existingTenant } from '../../operations/tenants'
import { unblock } from '../../operations/unblock'
import type { Action, Form } from '../kit/action'
import { inForce } from '../kit/in-force'
import { reasonIn } from './texts'

interface Block {
  readonly tenant: string
  readonly scope: Scope
  readonly reason: string
}

export const BLOCK: Action<Block> = {
  path: '/tenants/:tenant/block',
  operation: block,
  subject: ({ tenant }) => tenant,
  read: (form, { tenant = '' }) => ({
    tenant,
    scope: form.isOn('all') ? 'all' : USUAL_SCOPE,
    reason: reasonIn(form),
  }),
  command: ({ tenant, scope, reason }) =>
    tenantctl('block', tenant, '--reason', reason, ...(scope === 'all' ? ['--all'] : [])),
  async question({ tenant, scope }, { store }) {
    if (scope !== 'all') return undefined
    await existingTenant(store, tenant)
    return {
      title: `Refuse all mail that ${tenant} relays, from its own domains too?`,
      lines: lossLines(await lossOfTenant(store, tenant)),
      yes: 'Refuse all of it',
    }
  },
  async run(store, by, { tenant, scope, reason }) {
    const blocked = await block(store, tenant, { scope, reason, by })
    const change = scope === 'all' ? 'blockAll' : 'block'
    return inForce(blockedLine(tenant, scope, blocked), blocked.confirmation, change)
  },
}

interface Unblock {
  readonly tenant: string
  readonly reason: string
  readonly keepUsage: boolean
  readonly force: boolean
  readonly probation: (ProbationTerms & { readonly for: string }) | undefined
}

export const UNBLOCK: Action<Unblock> = {
  path: '/tenants/:tenant/unblock',
  operation: unblock,
  subject: ({ tenant }) => tenant,
  read: (form, { tenant = '' }) => ({
    tenant,
    reason: reasonIn(form),
    keepUsage: form.isOn('keep_usage'),
    force: form.isOn('force'),
    probation: probationIn(form),
  }),
  least: ({ force }) => (force ? 'admin' : 'operator'),
  command: ({ tenant, reason, keepUsage, force, probation }) =>
    tenantctl(
      ...['unblock', tenant, '--reason', reason],
      ...(probation ? ['--limits', probation.limits, '--for', probation.for] : []),
      ...(keepUsage ? ['--keep-usage'] : []),
      ...(force ? ['--force'] : []),
    ),
  async question({ tenant, probation, keepUsage }, { store, config }) {
    const incident = await readGoingOn(store, config, tenant, { isBounded: true })
    const left = incident.case ? openSteps(incident.case) : []
    const lately = triedLately(incident)
    if (!incident.restriction || (left.length === 0 && lately === 0)) return undefined
    const until = probation ? `, on probation: ${probation.limits} for ${probation.for}` : ''
    return {
      title: `Unblock ${tenant}?`,
      lines: [
        goesOnText(lately),
        ...(left.length > 0 ? [`not ticked: ${left.join(', ')}`] : []),
        `its mail passes again${until}; its windows ${keepUsage ? 'stay as they are' : 'start afresh'}`,
      ],
      yes: 'Unblock it',
    }
  },
  async run(store, by, { tenant, ...options }, { config }) {
    const rules = { checklist: config.case.checklist, allowance: config.allowance.limits }
    const unblocked = await unblock(store, tenant, { by, ...options }, rules)
    const { result, confirmation, openSteps: left } = unblocked
    const isLifted = result === 'lifted'
    const line = resultLine(tenant, result, options.keepUsage)
    return inForce(line, confirmation, 'unblock', [
      ...(options.probation ? [probationLine(unblocked.probation, isLifted)] : []),
      ...(isLifted && left.length > 0 ? [`not ticked: ${left.join(', ')}`] : []),
    ])
  },
}

/** @throws {InputError} */
function probationIn(form: Form): Unblock['probation'] {
  const [given, time] = [form.text('limits'), form.text('for')]
  if (given === '') return undefined
  const limits = parseLimits(given)
  if (limits.length === 0) {
    throw new InputError('unlimited is no probation: give limits, such as 50/1h, or leave it empty')
  }
  return {
    limits: formatLimits(limits),
    duration: parseDuration('the time of the probation', time),
    for: time,
  }
}
