import { domainToUnicode } from 'node:url'
import { tenantctl } from '../../base/command-line'
import { assertTenantId, connectorName } from '../../mail/identities'
import { mixedScripts } from '../../names/mixed-scripts'
import { typedDomain } from '../../names/typed-domain'
import { atLeast } from '../../records/role'
import { serverTime } from '../../store/server-clock'
import type { Candidate } from '../../suggest/candidate'
import type { Ranked } from '../../suggest/rank'
import { form, type Field } from '../kit/forms'
import { html, NOTHING, type Html } from '../kit/html'
import { saidByDns } from '../kit/known-dns'
import type { Page, Visit } from '../kit/page'
import { facts, heading, outside, state, time, type Cell } from '../kit/parts'
import { tenantHeader } from './tenant-header'
import { suggestionOf } from './whole-reports'

const VERDICTS = {
  own: state('own: probably the tenant’s', 'good'),
  unclear: state('unclear', 'warn'),
  abuse: state('abuse: probably not the tenant’s', 'bad'),
}

/** A domain that a person may register: one look, since a wrong press would uncount an attacker's mail. */
export const REGISTER: Page = {
  path: '/tenants/:tenant/register',
  least: 'viewer',
  async show(visit) {
    const { live, tabs } = await tenantHeader(visit, 'domains')
    const domain = typedDomain(visit.query.get('domain') ?? '')
    const title = `Register ${domain}`
    if (visit.isPoll) return { title, live, rest: NOTHING }
    const tenant = visit.params['tenant']!
    assertTenantId(tenant)
    const suggestion = await suggestionOf(visit, tenant, domain)
    const [ranked] = suggestion.ranked
    const [never] = suggestion.never
    const seen = await serverTime(visit.store.client)
    return {
      ...{ title, live },
      rest: html`${tabs} ${heading(visit, 'register')}
      ${facts([
        ...nameFacts(domain),
        ...(ranked ? likeFacts(ranked) : []),
        [
          'Verdict',
          never
            ? state(`never: ${never.why}`, 'bad')
            : ranked
              ? VERDICTS[ranked.class]
              : VERDICTS.unclear,
        ],
        ...mailFacts(ranked ?? never, suggestion.from),
      ])}
      ${ranked ? reasonsOf(visit, tenant, ranked) : NOTHING}
      ${never ? NOTHING : registering(visit, tenant, domain, ranked?.class === 'own', seen)}`,
    }
  },
}

type Facts = (readonly [string, Cell])[]

function nameFacts(domain: string): Facts {
  const unicode = domainToUnicode(domain)
  const scripts = mixedScripts(domain)
  return [
    ['Domain', outside(domain)],
    ['In Unicode', unicode === domain ? 'the same' : outside(unicode)],
    ...(scripts.length > 0
      ? ([
          [
            'Scripts',
            state(`${scripts.join(' and ')} in one word: a sign of a forged name`, 'bad'),
          ],
        ] as const)
      : []),
  ]
}

function likeFacts({ likeness, imitates }: Ranked): Facts {
  if (imitates !== undefined) {
    return [['Looks like', state(`${imitates}, by letters that look alike: a forged name`, 'bad')]]
  }
  return likeness ? [['Name', `${Math.floor(likeness.share * 100)} % like ${likeness.to}`]] : []
}

function mailFacts(candidate: Candidate | undefined, from: number): Facts {
  if (!candidate) return [['Seen', html`in no report since ${time(from)}`]]
  const { firstSeen, lastSeen, messages, recipients, connectors } = candidate
  return [
    ['First seen', time(firstSeen)],
    ['Last seen', time(lastSeen)],
    ['Messages', messages],
    [
      'Recipients',
      `${recipients}${messages > recipients ? ' (a message that is refused at MAIL names none)' : ''}`,
    ],
    ['Connectors', connectors.map(connectorName).join(', ') || '-'],
  ]
}

function reasonsOf(visit: Visit, tenant: string, { domain, score, reasons }: Ranked): Html {
  const said = saidByDns(visit.config.console.dns, domain)
  return html`<h3>Why: ${score} points</h3>
    <ul>
      ${reasons.map(
        ({ points, text }) => html`<li>${points > 0 ? '+' : ''}${points} <bdi>${text}</bdi></li>`,
      )}
    </ul>
    ${
      said
        ? html`<p>
            DNS was asked at ${time(said.at)}. It shows what the owner of a domain says, not that it
            is this tenant.
          </p>`
        : html`<p>By name and mail alone: DNS was not asked.</p>
            ${form(visit, {
              ...{ to: ['tenants', tenant, 'register', 'dns'], button: 'Ask DNS' },
              fields: [{ kind: 'hidden', name: 'domain', value: domain }],
              command: tenantctl('suggest', tenant, '--why'),
            })}
            ${
              visit.writing
                ? html`<p>Those who run the name servers of the domain see the questions.</p>`
                : NOTHING
            }`
    }`
}

function registering(
  visit: Visit,
  tenant: string,
  domain: string,
  isOwn: boolean,
  seen: number,
): Html {
  const common: Field[] = [
    { kind: 'hidden', name: 'domain', value: domain },
    { kind: 'check', name: 'subdomains', label: 'Every name below it, too' },
  ]
  const typed: Field[] = [
    { kind: 'text', name: 'typed', label: `Type the domain: ${domain}`, required: true },
    { kind: 'text', name: 'reason', label: 'Why it is the tenant’s own', required: true },
  ]
  if (!isOwn && visit.writing && !atLeast(visit.person.role, 'admin')) {
    return html`<p>It is not ranked as own: only an admin may register it, with a reason.</p>`
  }
  return form(visit, {
    ...{ to: ['tenants', tenant, 'register'], button: `Register ${domain}`, seen },
    fields: isOwn ? common : [...common, ...typed],
    command: tenantctl('domain', 'add', tenant, domain),
    isDanger: !isOwn,
  })
}
