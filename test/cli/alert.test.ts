import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { scratchDir } from '../../scripts/services/scratch'
import { AlertQueue } from '../../src/alerts/queue'
import { SCHEDULE } from '../../src/alerts/schedule'
import { EventStream } from '../../src/events/stream'
import type { Alert, Event } from '../../src/records/event'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { addToStream, anAlert } from '../support/alerts'
import { factsOf } from '../support/events'
import { startRedis, type TestRedis } from '../support/redis'
import { WEBHOOK_SECRET } from '../support/webhook-endpoint'
import { Cli, errorOf, type Result } from './cli'

const ALERTS = `webhook=https://hooks.example/secret/path\nwebhook_secret=${WEBHOOK_SECRET}\nmail_to=ops@relay.example\n`

function allowanceOf(id: string): Event {
  return { ...factsOf('allowance'), kind: 'allowance', id, at: Date.now() } as unknown as Event
}

const CHANNELS = `[alert noc]
url=https://hooks.slack.example/services/T0/secret/path
format=slack
min_severity=medium
kinds=restricted, lifted
[alert oncall]
url=https://events.pagerduty.example/v2/enqueue?routing_key=${'k'.repeat(32)}
format=pagerduty
[alert audit]
mail=audit@relay.example
`

describe('tenantctl alert, and the doctor on alerts', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  function site(alerts = ALERTS) {
    const cli = new Cli(redis.url)
    const config = scratchDir('config')
    const ini = `[outage]\nsnapshot=\n[alerts]\n${alerts}`
    writeFileSync(path.join(config, 'unregistered-domain.ini'), ini, { mode: 0o600 })
    const store = new Store(redis.client(), new Keys(cli.prefix))
    return { run: (...args: string[]) => cli.run('--config', config, ...args), store }
  }

  /** Registers a reader, as a Haraka does that delivers alerts. */
  async function begin(store: Store, ...channels: string[]): Promise<void> {
    for (const channel of channels)
      await new AlertQueue(store, channel, SCHEDULE).turn(new Map(), 1)
  }

  async function published({ client, keys }: Store): Promise<Alert[]> {
    const entries = await client.xrange(keys.events, '-', '+')
    return entries.map(([, fields]) => {
      const { json, joined } = Object.fromEntries(
        fields.flatMap((field, at) => (at % 2 === 0 ? [[field, fields[at + 1]]] : [])),
      ) as { json: string; joined: string }
      assert.equal(joined, '')
      return JSON.parse(json) as Alert
    })
  }

  it('publishes a test alert that no other joins, and says where it should arrive', async () => {
    const { run, store } = site()
    await begin(store, 'webhook', 'mail')
    const first = await run('alert', 'test')
    assert.equal(first.status, 0)
    assert.equal(errorOf(first), '')
    assert.match(first.out, /^published evt_[\da-f]{20}$/m)
    assert.match(first.out, /^ {2}webhook: look at https:\/\/hooks\.example$/m)
    assert.match(first.out, /^ {2}mail: look at ops@relay\.example$/m)
    assert.doesNotMatch(first.out, /secret/)
    const { out } = await run('alert', 'test', '--json')
    const again = JSON.parse(out) as { event: string }
    assert.deepEqual(again, {
      event: again.event,
      webhook: 'https://hooks.example',
      mail_to: ['ops@relay.example'],
      channels: [
        { name: 'webhook', to: 'https://hooks.example' },
        { name: 'mail', to: 'ops@relay.example' },
      ],
    })
    const alerts = await published(store)
    assert.deepEqual(
      alerts.map(({ kind, title, tenant, severity }) => [kind, title, tenant, severity]),
      Array(2).fill(['test', 'Test alert, sent by ann', '', 'Informational']),
    )
    assert.equal(alerts[1]?.id, again.event)
    assert.ok(Math.abs(Date.parse(alerts[1].at) - Date.now()) < 60_000)
  })

  it('says which channels no Haraka delivers to', async () => {
    const nothing = site('')
    assert.match((await nothing.run('alert', 'test')).err, /neither webhook nor mail_to is set/)
    const { run, store } = site()
    await begin(store, 'mail')
    const { err, status } = await run('alert', 'test')
    assert.equal(status, 0)
    assert.match(err, /^tenantctl: no Haraka delivers alerts by webhook yet: waiting for one$/m)
    assert.match(err, /^tenantctl: no Haraka delivers alerts by webhook: [^\n]+\n$/m)
  })

  it('waits for a Haraka that reads a changed configuration', async () => {
    const { run, store } = site()
    const testing = run('alert', 'test', '--json')
    await begin(store, 'webhook', 'mail')
    const { err, out } = await testing
    assert.doesNotMatch(err, /start it/)
    // The channels have begun before: they deliver it.
    const { event } = JSON.parse(out) as { event: string }
    const { due } = await new AlertQueue(store, 'mail', SCHEDULE).turn(new Map(), 1)
    assert.deepEqual(
      due.map(({ alert }) => alert?.id),
      [event],
    )
  })

  it('tests one channel, or all, and names none by what is secret', async () => {
    const { run, store } = site(CHANNELS)
    await begin(store, 'noc', 'oncall', 'audit')
    const all = await run('alert', 'test')
    assert.match(
      all.out,
      /^ {2}noc: look at slack\n {2}oncall: look at pagerduty\n {2}audit: look at mail to audit@relay\.example$/m,
    )
    const one = await run('alert', 'test', '--channel', 'oncall', '--json')
    const { webhook, mail_to, channels } = JSON.parse(one.out) as Record<string, unknown>
    assert.deepEqual([webhook, mail_to], [null, []])
    assert.deepEqual(channels, [{ name: 'oncall', to: 'pagerduty' }])
    const tested = (await published(store)).map(({ facts }) =>
      Object.keys(facts['channels'] as object),
    )
    assert.deepEqual(tested, [['noc', 'oncall', 'audit'], ['oncall']])
    const none = await run('alert', 'test', '--channel', 'nic')
    assert.equal(none.status, 2)
    assert.match(none.err, /no channel "nic": there are noc, oncall, audit\n/)
    for (const { out, err } of [all, one, none]) assert.doesNotMatch(out + err, /secret|kkkk/)
  })

  it('the doctor has a line for each channel: where it leads, what it tells, what waits', async () => {
    const { run, store } = site(CHANNELS)
    await run('tenant', 'add', 'contoso')
    const messages = async (check: string): Promise<string[]> =>
      (await doctor(run, check)).map(({ level, message }) => `${level} ${message}`)
    assert.deepEqual(await messages('alerts'), [
      'ok noc: slack; from Medium; only restricted, lifted; tenantctl alert test tries it',
      'ok oncall: pagerduty; from High; tenantctl alert test tries it',
      'ok audit: mail to audit@relay.example; tenantctl alert test tries it',
    ])
    await begin(store, 'noc', 'taken-out')
    assert.deepEqual(await messages('alert-queue'), [
      'ok no alert waits long for noc',
      'warn no Haraka has begun to deliver alerts by oncall',
      'warn no Haraka has begun to deliver alerts by audit',
    ])
    const { out } = await run('doctor')
    assert.doesNotMatch(out, /services\/T0|kkkk/)
  })

  async function doctor(
    run: (...args: string[]) => Promise<Result>,
    check: string,
  ): Promise<{ level: string; message: string }[]> {
    const { out } = await run('doctor', '--json')
    assert.ok(!out.includes('secret/path') && !out.includes(WEBHOOK_SECRET.slice(6)), out)
    const lines = JSON.parse(out) as { level: string; check: string; message: string }[]
    return lines.filter((line) => line.check === check)
  }

  it('snoozes alerts of a kind, lists that, ends it early, and the audit trail tells', async () => {
    const { run, store } = site()
    await run('tenant', 'add', 'contoso')
    const snooze = ['alert', 'snooze', 'contoso', '--kind', 'allowance']
    const first = await run(...snooze, '--for', '14d', '--reason', 'newsletter', '--json')
    const { until, ...given } = JSON.parse(first.out) as { until: string }
    assert.deepEqual(given, {
      ...{ result: 'snoozed', tenant: 'contoso', kind: 'allowance' },
      ...{ by: 'ann', reason: 'newsletter' },
    })
    await new EventStream(store).publish('contoso', allowanceOf('evt_1'))
    const events = JSON.parse((await run('events', '--json')).out) as object[]
    assert.deepEqual(
      events.map((each) => 'snoozed' in each && each.snoozed),
      [{ until, by: 'ann' }],
    )
    assert.match((await run('events')).out, /300\/1h \(snoozed by ann until .*Z\)$/m)
    assert.match(
      (await run('alert', 'snooze', '--list')).out,
      /^contoso +allowance +\S+Z +ann +newsletter$/m,
    )
    const doctor = await run('doctor')
    assert.match(
      doctor.out,
      /snoozed: alerts about 1 tenant are snoozed: tenantctl alert snooze --list/,
    )
    const ended = await run('alert', 'unsnooze', 'contoso')
    assert.equal(ended.out, 'allowance alerts about contoso are delivered again\n')
    assert.equal((await run('alert', 'unsnooze', 'contoso')).out, 'nothing of contoso is snoozed\n')
    assert.equal((await run('alert', 'snooze', '--list')).out, 'nothing is snoozed\n')
    const { out } = await run('audit', 'contoso')
    assert.match(out, /allowance alerts snoozed +until \S+: newsletter/)
  })

  it('snoozes no restriction, nothing for ever, and no tenant that is not there', async () => {
    const { run } = site()
    await run('tenant', 'add', 'contoso')
    const snooze = (tenant: string, kind: string, span: string): Promise<Result> =>
      run('alert', 'snooze', tenant, '--kind', kind, '--for', span, '--reason', 'x')
    const restricted = await snooze('contoso', 'restricted', '1d')
    assert.equal(restricted.status, 2)
    assert.match(restricted.err, /give allowance or unusual; a restriction is always told/)
    assert.match((await snooze('contoso', 'unusual', '91d')).err, /too long: give 90d at most/)
    assert.equal((await snooze('fabrikam', 'unusual', '90d')).status, 3)
    assert.equal((await run('alert', 'snooze', 'contoso')).status, 2)
    assert.equal((await run('alert', 'snooze', '--list', '--for', '1d')).status, 2)
  })

  it('the doctor says how alerts go out, and what is wrong with the setup', async () => {
    assert.match((await doctor(site('').run, 'alerts'))[0]!.message, /in tenantctl events only/)
    const [all] = await doctor(site().run, 'alerts')
    assert.equal(all?.level, 'ok')
    assert.match(all.message, /posted to https:\/\/hooks\.example, signed, and mailed to ops@relay/)
    const exposed = site(ALERTS.replace('https', 'http'))
    const [warning] = await doctor(exposed.run, 'alerts')
    assert.equal(warning?.level, 'warn')
    assert.match(warning.message, /http:\/\/hooks\.example: anybody on the network path can read/)
    const [bad] = await doctor(site('webhook=https://hooks.example/secret/path\n').run, 'config')
    assert.match(bad!.message, /webhook_secret: empty, but webhook is set/)
  })

  it('the doctor names what is wrong with a text to contacts', async () => {
    const texts = scratchDir('texts')
    const { run } = site(`${ALERTS}contact_templates=${texts}\n`)
    const [well] = await doctor(run, 'contact-texts')
    assert.deepEqual([well?.level, well?.message], ['ok', `contacts get the texts in ${texts}`])
    writeFileSync(path.join(texts, 'lifted.txt'), 'Subject: {{name}}\n\nText\n')
    const [broken] = await doctor(run, 'contact-texts')
    assert.equal(broken?.level, 'fail')
    assert.match(broken.message, /lifted\.txt:1: \{\{name\}\} is no variable: write one of/)
  })

  it('the doctor says how many alerts wait, and since when', async () => {
    const { run, store } = site()
    await run('tenant', 'add', 'contoso')
    const levels = async (): Promise<string[]> =>
      (await doctor(run, 'alert-queue')).map(({ level, message }) => `${level} ${message}`)
    assert.deepEqual(
      await levels(),
      ['webhook', 'mail', 'contact'].map(
        (channel) => `warn no Haraka has begun to deliver alerts by ${channel}`,
      ),
    )
    await begin(store, 'webhook', 'mail', 'contact')
    assert.match((await levels()).join(), /^ok [^,]+ webhook,ok [^,]+ mail,ok [^,]+ contact$/)
    // From an hour ago: one that was delivered, and two that were not.
    const { client, keys } = store
    const then = Date.now() - 3_600_000
    await client.del(keys.events)
    for (let at = 0; at < 3; at++) {
      await client.xadd(keys.events, `${then + at}-0`, 'kind', 'x', 'json', '{}')
    }
    for (const channel of ['webhook', 'mail']) {
      await client.xgroup('CREATE', keys.events, channel, '0')
    }
    await client.xgroup('CREATE', keys.events, 'contact', '$')
    await new AlertQueue(store, 'webhook', SCHEDULE).turn(new Map(), 1)
    const since = `${new Date(then).toISOString().slice(0, 19)}Z`
    assert.deepEqual(await levels(), [
      `warn 3 alerts for webhook, the oldest of ${since}, not delivered yet`,
      `warn 3 alerts for mail, the oldest of ${since}, not delivered yet`,
      'ok no alert waits long for contact',
    ])
    for (let at = 0; at < 150; at++) await addToStream(store, anAlert())
    assert.match((await levels())[1]!, /^warn more than 100 alerts for mail/)
  })
})
