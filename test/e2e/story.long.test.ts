// A night at a relay: a school forwards mail, a hybrid site has its own servers, and one of them is taken over,
// blocked, examined and unblocked, with what an operator types and reads.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { AuditEntry } from '../../src/records/audit-entry'
import type { Alert } from '../../src/records/event'
import { HOUR } from '../../src/reporting/calendar'
import {
  startRelay,
  tenantctl,
  waitFor,
  type Sent,
  type SessionOptions,
  type TestRelay,
} from '../support'
import { begun } from '../support/alerts'
import { TestDns, type Zone } from '../support/dns'
import { Mailbox } from '../support/mailbox'
import { answered, REPLY } from '../support/replies'
import { recorded, type Mail } from '../support/reports'
import { WEBHOOK_SECRET, WebhookEndpoint, type Received } from '../support/webhook-endpoint'
import { age, days, LATER, play, Scenario, TODAY } from '../unusual/scenario'

const NODES = 2
const SCHOOL: SessionOptions = { localAddress: '127.77.221.1' }
const EXCHANGE: SessionOptions = { localAddress: '127.77.220.1', helo: 'exchange.hybrid.example' }
const WEB: SessionOptions = { localAddress: '127.77.222.1', helo: 'web.hybrid.example' }
/** A new address in the network of the site's own servers. */
const INTRUDER: SessionOptions = { localAddress: '127.77.220.66', helo: 'owned.hybrid.example' }
const TICKETS = 'hybrid-tickets.example'
const BANKS = 30
/** Recipients an hour. */
const LIMIT = 120
/** The part of it that the ticket system and the web shop use before the night. */
const OF_TICKETS = 3
const OPERATOR = 'ops@relay.example'
const CONTACT = 'it-lead@webmail.example'
const RESTRICTED = 'Tenant restricted from sending unprovisioned email'
const CHECKLIST = {
  domains: 'the ticket system is theirs and registered, the banks are not',
  connectors: 'their admin knows both',
  servers: 'exchange installed anew, its queue cleaned',
  proof: 'their log of an hour without any of it',
}
/** Time limit for a busy machine. */
const PATIENCE = { timeout: 30_000 }

const bank = (number: number): string => `bank-${number}.example`
const blockedBy = (name: string): string => REPLY.blocked.replace('\r\n', ` (case ${name})\r\n`)

/** The DNS of the site's own domains. */
const ITS_OWN: Zone = {
  mx: ['mail.hybrid.example'],
  txt: ['v=spf1 include:_spf.hybrid.example -all'],
}
const ITS_DMARC: Zone = { txt: ['v=DMARC1; p=reject; rua=mailto:dmarc@hybrid.example'] }
const ZONES: Readonly<Record<string, Zone>> = {
  'hybrid.example': ITS_OWN,
  '_dmarc.hybrid.example': ITS_DMARC,
  '_spf.hybrid.example': { txt: ['v=spf1 ip4:127.77.220.0/24 -all'] },
  [TICKETS]: ITS_OWN,
  [`_dmarc.${TICKETS}`]: ITS_DMARC,
  // An intruder controls the DNS of his own domain.
  [bank(1)]: ITS_OWN,
  [`_dmarc.${bank(1)}`]: ITS_DMARC,
}

/** Six weeks in which the site's ticket system and its web shop sent a little every day. */
function ticketsEveryDay(): Mail[] {
  const sources = [
    { connector: 'hybrid/exchange', ip: EXCHANGE.localAddress! },
    { connector: 'hybrid/web', ip: WEB.localAddress! },
  ]
  return days(1, 40).flatMap((day) =>
    [9, 11, 14].flatMap((hour) =>
      sources.map((source) => ({
        ...{ at: TODAY - day * 24 * HOUR + hour * HOUR, accepted: 1, domain: TICKETS },
        ...source,
      })),
    ),
  )
}

describe('the story of a takeover', () => {
  let relay: TestRelay
  let dns: TestDns
  let endpoint: WebhookEndpoint
  let mailbox: Mailbox

  before(async () => {
    endpoint = await WebhookEndpoint.start()
    mailbox = await Mailbox.start()
    dns = await TestDns.start(ZONES)
    relay = await startRelay({
      nodes: NODES,
      plugins: ['relay', 'unregistered-domain', 'route', 'test_sink'],
      localPlugins: { route: mailbox.route },
      settings: {
        alerts: { webhook: endpoint.url, webhook_secret: WEBHOOK_SECRET, mail_to: OPERATOR },
        reply: { case: true },
        // Half of the banks are enough: an hour may end while they send.
        unusual: { domains: BANKS / 2 },
      },
    })
    await Promise.all([begun(relay.store), enrolSchool(), enrolHybrid()])
  })
  after(() => Promise.all([relay, dns, endpoint, mailbox].map((each) => each?.stop())))

  async function enrolSchool(): Promise<void> {
    await relay.tenant('school', { connectors: { mx: { ip: ['127.77.221.0/24'] } } })
    await age(relay.registry, 'school')
    const source = { connector: 'school/mx', ip: SCHOOL.localAddress! }
    await play(relay.store, 'school', new Scenario().routine({ days: days(1, 40), source }), LATER)
    await relay.attributed(SCHOOL, 'school/mx')
  }

  async function enrolHybrid(): Promise<void> {
    const settings = ['--name', 'Hybrid Ltd', '--limits', `${LIMIT}/1h`, '--contact', CONTACT]
    await ann('tenant', 'add', 'hybrid', ...settings)
    await ann('domain', 'add', 'hybrid', 'hybrid.example')
    await ann('connector', 'add', 'hybrid', 'exchange', '--ip', '127.77.220.0/24')
    await ann('connector', 'add', 'hybrid', 'web', '--ip', '127.77.222.0/24')
    await age(relay.registry, 'hybrid')
    await play(relay.store, 'hybrid', new Scenario().send(...ticketsEveryDay()), LATER)
    await relay.attributed(EXCHANGE, 'hybrid/exchange')
    await relay.attributed(WEB, 'hybrid/web')
  }

  /** What tenantctl answers. */
  async function typed(...words: string[]): Promise<string> {
    const { status, stdout, stderr } = await tenantctl([
      '--config',
      relay.haraka.configDir,
      ...words,
    ])
    assert.equal(status, 0, `tenantctl ${words.join(' ')}: ${stderr}`)
    return stdout
  }
  const ann = (...words: string[]): Promise<string> => typed('--by', 'ann', ...words)
  const bob = (...words: string[]): Promise<string> => typed('--by', 'bob', ...words)
  const asJson = async <T>(...words: string[]): Promise<T> =>
    JSON.parse(await typed('--json', ...words)) as T

  const send = (session: SessionOptions, from: string, ...to: string[]): Promise<Sent> =>
    relay.haraka.send({ from, to, session })
  const everywhere = (session: SessionOptions, from: string, reply: string): Promise<void> =>
    answered(relay.haraka, NODES, { session, from, reply })

  async function assertDelivered(...args: Parameters<typeof send>): Promise<void> {
    assert.equal((await send(...args)).last.code, 250)
  }

  /** Mail from parents to teachers, which is forwarded to their homes. */
  async function assertSchoolSends(): Promise<void> {
    await assertDelivered(SCHOOL, 'office@school.example', 'parent@far.example')
    for (const parent of [3, 7, 11]) {
      await assertDelivered(SCHOOL, `mum@parent${parent}.example`, 'teacher@home.example')
    }
  }

  /** The alerts of these kinds that were posted about a tenant. */
  const posted = (tenant: string, ...kinds: Alert['kind'][]): Received[] =>
    endpoint.received.filter(({ data }) => data.tenant === tenant && kinds.includes(data.kind))

  it('mail of both tenants flows, registered and forwarded', async () => {
    await assertSchoolSends()
    await assertDelivered(EXCHANGE, 'sales@hybrid.example', 'a@far.example')
    await assertDelivered(EXCHANGE, `queue@${TICKETS}`, 'a@far.example', 'b@far.example')
    await assertDelivered(WEB, `shop@${TICKETS}`, 'a@far.example')
    assert.equal(await relay.used('school'), 3)
    assert.equal(await relay.used('hybrid'), OF_TICKETS)
    assert.deepEqual(endpoint.received, [])
  })

  it('a taken-over server floods until its tenant is restricted; other tenants are not affected', async () => {
    // Enough sessions for both workers.
    const opening = Array.from({ length: 2 * NODES }, () => relay.haraka.connect(INTRUDER))
    const sessions = await Promise.all(opening)
    const night: Sent[] = []
    for (let number = 1; number <= BANKS; number++) {
      const mail = {
        from: `help@${bank(number)}`,
        to: [1, 2, 3, 4].map((each) => `victim${number}-${each}@far.example`),
        headers: { 'Message-ID': `<night-${number}@${bank(number)}>` },
      }
      night.push(await sessions[number % sessions.length]!.send(mail))
    }
    for (const session of sessions) await session.quit()
    const accepted = night.map((sent) => sent.accepted.length)
    // Four each, but for the last one.
    assert.deepEqual(accepted, [...Array<number>(BANKS - 1).fill(4), 1])
    assert.equal(night.at(-1)!.last.raw, blockedBy('hybrid:1'))
    await everywhere(INTRUDER, `pay@${bank(1)}`, blockedBy('hybrid:1'))

    for (const session of [EXCHANGE, WEB, INTRUDER]) {
      await assertDelivered(session, 'sales@hybrid.example', 'a@far.example')
    }
    await assertSchoolSends()
    assert.equal(await relay.restriction('school'), undefined)
  })

  it('warnings were posted at 50, 80 and 95 %, each once', async () => {
    const told = (): Received[] => posted('hybrid', 'allowance', 'restricted')
    await waitFor(() => told().length >= 4, { what: 'four alerts', ...PATIENCE })
    const all = await asJson<Alert[]>('events', '--tenant', 'hybrid')
    assert.deepEqual(
      all
        .filter(({ kind }) => kind !== 'unusual')
        .map(({ kind, severity, facts }) => [kind, severity, facts['percent']]),
      [
        ['allowance', 'Low', 50],
        ['allowance', 'Medium', 80],
        ['allowance', 'High', 95],
        ['restricted', 'High', undefined],
      ],
    )
    // Both workers deliver, in any order.
    const ids = all.filter(({ kind }) => kind !== 'unusual').map(({ id }) => id)
    assert.deepEqual(
      told()
        .map(({ id }) => id)
        .sort(),
      ids.sort(),
    )
    const restricted = posted('hybrid', 'restricted')[0]!.data
    assert.equal(restricted.title, `${RESTRICTED}: hybrid`)
    assert.equal(restricted.facts['case'], 'hybrid:1')
    assert.equal('escalated' in restricted.facts, false)
  })

  it('operator and tenant have mail about it, and none of that was counted', async () => {
    const mail = await mailbox.waitFor(OPERATOR, `High: ${RESTRICTED}: hybrid`)
    // Of the restriction the tenant has mail after five minutes: until then it may be one of many.
    const toTenant = await mailbox.waitFor(CONTACT, 'Hybrid Ltd has used 95 % of its allowance')
    for (const { mailFrom, headers } of [mail, toTenant]) {
      assert.equal(mailFrom, '')
      assert.equal(headers.get('auto-submitted'), 'auto-generated')
    }
    const { id } = posted('hybrid', 'restricted')[0]!
    assert.equal(mail.headers.get('message-id'), `<${id}@relay.example>`)
    assert.equal(mail.headers.has('importance'), false)
    for (const line of [
      /^ {2}trigger domain +bank-30\.example$/m,
      /^ {2}trigger connector +hybrid\/exchange$/m,
      /^ {2}trigger ip +127\.77\.220\.66$/m,
      /^ {2}tenantctl incident hybrid:1/m,
    ]) {
      assert.match(mail.body, line)
    }
    assert.match(toTenant.body, /^ {2}sender domain of the last message +bank-\d+\.example$/m)
    assert.doesNotMatch(toTenant.body, /tenantctl/)
    assert.equal(await relay.used('hybrid'), LIMIT)
    for (const tenant of ['hybrid', 'school']) assert.equal(await relay.used(tenant, 'null'), 0)
  })

  it('report and evidence name the domains, the address and the connector, with samples', async () => {
    const all = async (): Promise<boolean> =>
      (await recorded(relay.store, 'hybrid', 'unregistered')) >= LIMIT
    await waitFor(all, { what: 'all of it is recorded', ...PATIENCE })
    const [report, addresses, evidence] = await Promise.all([
      typed('report', 'hybrid', '--csv'),
      typed('report', 'hybrid', '--by', 'ip'),
      typed('evidence', 'hybrid'),
    ])
    for (let number = 1; number < BANKS; number++) {
      const row = `^hybrid,[\\d-]+,hybrid/exchange,${bank(number)},unregistered,1,.*,127\\.77\\.220\\.66,.*<night-${number}@`
      assert.match(report, new RegExp(row, 'm'))
    }
    assert.match(addresses, /^127\.77\.220\.66 +30\/117 /m)
    for (const line of [
      /^case +hybrid:1$/m,
      /^trigger +120 in 1h reached, from bank-30\.example, connector hybrid\/exchange, 127\.77\.220\.66$/m,
      /^hybrid\/exchange +31\/119 /m,
      /^127\.77\.220\.66 +30\/117 /m,
      /^bank-1\.example +1\/4 /m,
      / (bank-(\d+)\.example) +127\.77\.220\.66 .* owned\.hybrid\.example +<night-\2@\1>/,
      / hybrid\/exchange +connector added .* ann/,
    ]) {
      assert.match(evidence, line)
    }
  })

  it('unusual shows why, and leaves out the school; suggest finds the own domain, and no bank', async () => {
    type Unusual = { tenant: string; rules: { rule: string; words: string }[] }[]
    type Suggested = { domains: { domain: string; class: string }[]; command: string }
    const { client, keys } = relay.store
    const what = 'the use of the connector of the school is recorded'
    await waitFor(() => client.hexists(keys.seen('school'), 'mx'), { what, ...PATIENCE })
    const [[unusual, ...others], suggested] = await Promise.all([
      asJson<Unusual>('unusual'),
      asJson<Suggested>('suggest', 'hybrid', '--dns', dns.address),
    ])
    assert.deepEqual(others, [])
    assert.equal(unusual!.tenant, 'hybrid')
    const words = new Map(unusual!.rules.map((each) => [each.rule, each.words]))
    assert.deepEqual([...words.keys()].sort(), ['domains', 'new_source', 'volume'])
    assert.match(words.get('new_source')!, /^117 .* from address 127\.77\.220\.66, not seen /)
    assert.match(words.get('domains')!, /^\d+ unregistered domains in the hour from /)

    const own = suggested.domains.filter((each) => each.class === 'own')
    assert.deepEqual(
      own.map(({ domain }) => domain),
      [TICKETS],
    )
    assert.equal(suggested.domains.length, 1 + BANKS)
    assert.equal(suggested.command, `tenantctl domain add hybrid ${TICKETS}`)
  })

  it('its connector is blocked, and the other goes on', async () => {
    await bob('connector', 'block', 'hybrid', 'exchange', '--reason', 'pours at night')
    await everywhere(INTRUDER, 'sales@hybrid.example', REPLY.connectorBlocked)
    await assertDelivered(WEB, 'shop@hybrid.example', 'a@far.example')
    await bob('connector', 'unblock', 'hybrid', 'exchange', '--reason', 'installed anew')
    await everywhere(EXCHANGE, 'sales@hybrid.example', '250 ')
  })

  it('the case is completed, and an unblock into probation lets a little mail pass', async () => {
    const shown = await typed('case', 'show', 'hybrid:1')
    assert.match(shown, /^ {2}hybrid\/exchange {2}the case began with it/m)
    assert.match(shown, /^where it came from:\n {2}127\.77\.220\.66 /m)
    await bob('case', 'note', 'hybrid:1', 'called their admin at 3 a.m.')
    await bob('domain', 'add', 'hybrid', TICKETS)
    for (const [step, note] of Object.entries(CHECKLIST)) {
      await bob('case', 'check', 'hybrid:1', step, '--note', note)
    }
    const terms = ['--limits', '3/1h', '--for', '7d', '--reason', 'cleaned, and shown']
    const unblocked = await ann('unblock', 'hybrid', ...terms)
    assert.match(unblocked, /^on probation: 3\/1h until \S+Z$/m)
    assert.match(unblocked, /^case hybrid:1: all steps are ticked/m)
    await everywhere(EXCHANGE, 'talks@partner.example', '250 ')
    const three = ['a@far.example', 'b@far.example', 'c@far.example']
    await assertDelivered(EXCHANGE, 'talks@partner.example', ...three)
    // Registered now, and not counted.
    await assertDelivered(EXCHANGE, `queue@${TICKETS}`, ...three)
    assert.equal(await relay.used('hybrid'), 3)
  })

  it('a second trip, within probation, is marked and alerted with a higher severity', async () => {
    const { last } = await send(INTRUDER, `help@${bank(1)}`, 'a@far.example')
    assert.equal(last.raw, blockedBy('hybrid:2'))
    await waitFor(() => posted('hybrid', 'restricted').length > 1, PATIENCE)
    const { title, severity, facts } = posted('hybrid', 'restricted')[1]!.data
    assert.equal(title, `${RESTRICTED} again, within probation: hybrid`)
    assert.deepEqual([severity, facts['escalated'], facts['case']], ['High', true, 'hybrid:2'])
    const mail = await mailbox.waitFor(OPERATOR, `High: ${title}`)
    assert.equal(mail.headers.get('importance'), 'high')
    const shown = await typed('case', 'show', 'hybrid:2')
    assert.match(shown, /^reason +allowance of 3\/1h exceeded within probation$/m)
    await assertSchoolSends()
  })

  it('audit lists all of it, in order and with names', async () => {
    await bob('case', 'close', 'hybrid:1', '--note', 'a hole in Exchange, mended')
    const trail = await asJson<AuditEntry[]>('audit', 'hybrid')
    const changes = trail
      .filter(({ subject }) => subject !== '')
      .map(({ subject, what, note }) => `${note}: ${what} (${subject})`)
    assert.deepEqual(changes, [
      'ann: tenant added (hybrid)',
      'ann: domains added (hybrid)',
      'ann: connector added (hybrid/exchange)',
      'ann: connector added (hybrid/web)',
      'automatic: restriction tripped (hybrid:1)',
      'bob: connector blocked (hybrid/exchange)',
      'bob: connector unblocked (hybrid/exchange)',
      'bob: case noted (hybrid:1)',
      'bob: domains added (hybrid)',
      ...Object.keys(CHECKLIST).map((step) => `bob: case checked: ${step} (hybrid:1)`),
      'ann: restriction lifted (hybrid:1)',
      'automatic: restriction tripped (hybrid:2)',
      'bob: case closed (hybrid:1)',
    ])

    // No alert was repeated.
    assert.deepEqual(endpoint.forged, [])
    assert.equal(new Set(endpoint.ids).size, endpoint.ids.length)
    assert.deepEqual(posted('school', 'allowance', 'restricted', 'unusual'), [])
    assert.doesNotMatch(relay.haraka.log, /unhandled|Caught exception|alert given up/i)
  })
})
