import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Outcome } from '../../src/alerts/channel'
import type { ChannelSettings } from '../../src/alerts/channel-settings'
import { Dispatcher, type DispatcherEvents } from '../../src/alerts/dispatcher'
import { forgetLeft } from '../../src/alerts/forget-left'
import { channelsInUse } from '../../src/alerts/in-use'
import type { FormatName } from '../../src/alerts/formats'
import type { MailTransport } from '../../src/alerts/mail'
import { NamedChannel } from '../../src/alerts/named-channel'
import { AlertQueue } from '../../src/alerts/queue'
import { SCHEDULE, type Schedule } from '../../src/alerts/schedule'
import { settingsMark } from '../../src/alerts/test-alert'
import { Alerts } from '../../src/metrics/alerts'
import type { Alert } from '../../src/records/event'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { addToStream, anAlert, channels, pending, SHIPPED_TEXTS } from '../support/alerts'
import { readNtfy, readPagerduty, readSlack, readTeams } from '../support/receivers'
import { theRedis, useRedis } from '../support/registry'
import { waitFor } from '../support'
import { WEBHOOK_SECRET, WebhookEndpoint } from '../support/webhook-endpoint'

useRedis()

/** The real schedule, shortened. */
const QUICK: Schedule = { steps: [20, 40, 80], patience: 86_400_000, lease: 3000, interval: 10 }

let prefixes = 0

function newStore(): Store {
  return new Store(theRedis().client(), new Keys(`named${++prefixes}:`))
}

async function endpoint(t: TestContext): Promise<WebhookEndpoint> {
  const started = await WebhookEndpoint.start()
  t.after(() => started.stop())
  return started
}

function settings(url: string, more: Partial<ChannelSettings> = {}): ChannelSettings {
  return {
    ...{ url, mail: [], format: 'standard', secret: undefined, minSeverity: undefined, kinds: [] },
    ...more,
  }
}

function of(format: FormatName, { port }: WebhookEndpoint): string {
  const key = format === 'pagerduty' ? `?routing_key=${'k'.repeat(32)}` : ''
  return `http://127.0.0.1:${port}/secret-path${key}`
}

function transport(sent: { to: readonly string[]; message: string }[] = []): MailTransport {
  return {
    settings: () => ({
      ...{ webhook: '', webhookSecret: undefined, mailTo: [], mailFrom: '', contactTemplates: '' },
    }),
    host: 'relay.example',
    templates: SHIPPED_TEXTS,
    send: (to, message) => {
      sent.push({ to, message })
      return Promise.resolve()
    },
  }
}

function deliver(settingsOf: ChannelSettings | undefined, alert: Alert): Promise<Outcome> {
  return new NamedChannel('noc', () => settingsOf, transport()).deliver(alert)
}

/** Dispatchers of these channels; returns a log of what they report. */
async function dispatch(
  t: TestContext,
  store: Store,
  all: Record<string, ChannelSettings>,
): Promise<string[]> {
  const log: string[] = []
  const events: DispatcherEvents = {
    onDelivered: (channel, { id }, tries) => log.push(`${channel} delivered ${id} ${tries}`),
    onFailed: (channel, { id }, reason) => log.push(`${channel} failed ${id} ${reason}`),
    onGivenUp: (channel, { id }, _tries, reason) => log.push(`${channel} gave up ${id} ${reason}`),
    onDropped: (channel, alerts, reason) => log.push(`${channel} dropped ${alerts} ${reason}`),
    onError: (channel, error) => log.push(`${channel} error ${String(error)}`),
  }
  for (const [name, each] of Object.entries(all)) {
    const channel = new NamedChannel(name, () => each, transport())
    const dispatcher = new Dispatcher(new AlertQueue(store, name, QUICK), channel, events)
    dispatcher.start()
    t.after(() => dispatcher.stop())
  }
  await waitFor(async () => (await channels(store)) === Object.keys(all).length)
  return log
}

describe('a channel of its own', () => {
  it('posts to a real receiver what its format says, and keeps the key of PagerDuty out of the URL', async (t) => {
    const there = await endpoint(t)
    const alert = anAlert()
    const formats = ['slack', 'teams', 'ntfy', 'pagerduty'] as const
    for (const format of formats) {
      const outcome = await deliver(settings(of(format, there), { format }), alert)
      assert.deepEqual(outcome, { kind: 'delivered' })
    }
    assert.deepEqual(
      there.posts.map(({ url }) => url),
      ['/secret-path', '/secret-path', '/', '/secret-path'],
    )
    const [slack, teams, ntfy, pagerduty] = there.posts.map(({ body }) => body)
    const title = `High: ${alert.title}`
    assert.equal(readSlack(slack!).blocks[0], title)
    assert.equal(readTeams(teams!)[0], title)
    assert.equal(readNtfy(ntfy!).title, title)
    assert.equal(readPagerduty(pagerduty!).payload?.summary, title)
  })

  it('signs the standard format with its own secret, and nothing without one', async (t) => {
    const there = await endpoint(t)
    const url = there.url
    await deliver(settings(url, { secret: WEBHOOK_SECRET }), anAlert())
    assert.deepEqual([there.received.length, there.forged.length], [1, 0])
    await deliver(settings(url), anAlert())
    assert.match(there.forged[0]!, /Missing required headers/)
    assert.equal(there.posts.length, 2)
  })

  it('mails to its own addresses, under a Message-ID of its own', async () => {
    const sent: { to: readonly string[]; message: string }[] = []
    const channel = new NamedChannel(
      'noc',
      () => settings('', { mail: ['noc@relay.example'] }),
      transport(sent),
    )
    const alert = anAlert({ resolves: 'evt_before' })
    assert.deepEqual(await channel.deliver(alert), { kind: 'delivered' })
    const [{ to, message } = { to: [], message: '' }] = sent
    assert.deepEqual(to, ['noc@relay.example'])
    assert.match(message, new RegExp(`^Message-ID: <${alert.id}\\.noc@relay\\.example>\\r$`, 'm'))
    assert.match(message, /^References: <evt_before\.noc@relay\.example>\r$/m)
  })

  it('is told of the severities and kinds that it asks for, and a pager of High alone', async (t) => {
    const there = await endpoint(t)
    const told = async (
      more: Partial<ChannelSettings>,
      alert: Partial<Alert>,
    ): Promise<boolean> => {
      const url = of(more.format ?? 'standard', there)
      const { kind } = await deliver(settings(url, more), anAlert(alert))
      assert.match(kind, /^(delivered|skipped)$/)
      return kind === 'delivered'
    }
    assert.equal(await told({}, { severity: 'Informational' }), true)
    assert.equal(await told({ minSeverity: 'Medium' }, { severity: 'Low' }), false)
    assert.equal(await told({ minSeverity: 'Medium' }, { severity: 'Medium' }), true)
    assert.equal(await told({ kinds: ['unusual'] }, { kind: 'restricted' }), false)
    assert.equal(await told({ kinds: ['unusual'] }, { kind: 'unusual' }), true)
    for (const format of ['ntfy', 'pagerduty'] as const) {
      assert.equal(await told({ format }, { severity: 'Medium' }), false)
      assert.equal(await told({ format }, { severity: 'High' }), true)
      assert.equal(await told({ format, minSeverity: 'Low' }, { severity: 'Medium' }), true)
    }
    const lifted = { kind: 'lifted', severity: 'Informational', resolves: 'evt_1' } as const
    assert.equal(await told({ format: 'ntfy' }, lifted), false)
    assert.equal(await told({ format: 'pagerduty', kinds: ['unusual'] }, lifted), true)
    assert.equal(readPagerduty(there.posts.at(-1)!.body).event_action, 'resolve')
  })

  it('delivers a test alert that tests it, with the settings that were read, and no other', async (t) => {
    const there = await endpoint(t)
    const mine = settings(of('ntfy', there), { format: 'ntfy' })
    const test = (marks: object): Alert => {
      const facts = { by: 'ann', settings: 'x', channels: marks }
      return anAlert({ kind: 'test', severity: 'Informational', tenant: '', facts })
    }
    assert.equal((await deliver(mine, test({ other: 'y' }))).kind, 'skipped')
    assert.equal((await deliver(mine, test({ noc: 'of before' }))).kind, 'waiting')
    assert.equal((await deliver(mine, test({ noc: settingsMark(mine) }))).kind, 'delivered')
  })

  it('waits and tries again by itself: another one delivers meanwhile', async (t) => {
    const [busy, well] = [await endpoint(t), await endpoint(t)]
    busy.answer = (response) => response.writeHead(500).end('/secret-path')
    const store = newStore()
    const log = await dispatch(t, store, {
      chat: settings(of('slack', busy), { format: 'slack' }),
      pager: settings(of('pagerduty', well), { format: 'pagerduty' }),
    })
    const alert = anAlert()
    await addToStream(store, alert)
    await waitFor(() => busy.posts.length >= 3 && well.posts.length === 1)
    assert.equal(await pending(store, 'chat'), 1)
    await waitFor(async () => (await pending(store, 'pager')) === 0)
    busy.answer = (response) => response.writeHead(200).end('ok')
    await waitFor(async () => (await pending(store, 'chat')) === 0)
    assert.equal(log.filter((line) => line.startsWith('pager')).length, 1)
    assert.ok(log.includes(`chat failed ${alert.id} HTTP 500`), log.join('\n'))
    assert.doesNotMatch(log.join('\n'), /secret-path|kkkk/)
  })

  it('is sent nothing for as long as a 429 asks', async (t) => {
    const busy = await endpoint(t)
    busy.answer = (response) => response.writeHead(429, { 'retry-after': '120' }).end()
    assert.deepEqual(await deliver(settings(of('teams', busy), { format: 'teams' }), anAlert()), {
      ...{ kind: 'failed', reason: 'HTTP 429', pause: 120_000 },
    })
  })

  it('resolves at a pager also where the end has joined that of another event', async (t) => {
    const there = await endpoint(t)
    const store = newStore()
    await dispatch(t, store, {
      pager: settings(of('pagerduty', there), { format: 'pagerduty' }),
      chat: settings(of('slack', there), { format: 'slack' }),
    })
    const joined = anAlert({ kind: 'resolved', severity: 'Informational', resolves: 'evt_begun' })
    await addToStream(store, joined, { joined: true })
    await waitFor(() => there.posts.length === 1)
    assert.equal(readPagerduty(there.posts[0]!.body).dedup_key, 'evt_begun')
    for (const name of ['pager', 'chat']) {
      await waitFor(async () => (await pending(store, name)) === 0)
    }
    assert.equal(there.posts.length, 1)
  })

  it('delivers nothing once its section is gone', async () => {
    const channel = new NamedChannel('noc', () => undefined, transport())
    assert.deepEqual([channel.destination(), channel.takesJoined(anAlert())], ['', false])
    assert.equal((await channel.deliver(anAlert())).kind, 'failed')
  })
})

describe('a channel that was taken out of the ini file', () => {
  it('is forgotten once no process has it, a missing one included, and no other is', async () => {
    const store = newStore()
    const { client, keys } = store
    for (const name of ['webhook', 'mine', 'theirs', 'gone']) {
      await new AlertQueue(store, name, SCHEDULE).turn(new Map(), 1)
    }
    const groups = async (): Promise<string[]> => {
      const all = (await client.xinfo('GROUPS', keys.events)) as string[][]
      return all.map((facts) => String(facts[facts.indexOf('name') + 1])).sort()
    }
    const node = (digest: string): string =>
      JSON.stringify({ host: 'mx', started: 1, worker: 0, config: { digest } })
    await client.hset(keys.nodes, 'mx2/1', node('d1'), 'mx3/1', node('d2'))
    await client.hset(keys.nodesConfigs, 'd1', '{"alert theirs":{"mail":"a@b.example"}}')
    const duty = forgetLeft(store, (name) => name === 'mine')
    await duty.run()
    await duty.run()
    // The configuration of mx3 is not known yet.
    assert.deepEqual(await groups(), ['gone', 'mine', 'theirs', 'webhook'])
    await client.hset(keys.nodesConfigs, 'd2', '{"main":{"mode":"monitor"}}')
    await duty.run()
    assert.deepEqual(await groups(), ['gone', 'mine', 'theirs', 'webhook'])
    await duty.run()
    assert.deepEqual(await groups(), ['mine', 'theirs', 'webhook'])
  })

  it('counts as waiting no longer, and neither does one of [alerts] that was switched off', async () => {
    const store = newStore()
    const { client, keys } = store
    assert.equal(await channelsInUse(store), undefined)
    for (const name of ['webhook', 'mail', 'chat', 'gone']) {
      await new AlertQueue(store, name, SCHEDULE).turn(new Map(), 1)
    }
    await addToStream(store, anAlert())
    const facts = { host: 'mx', started: 1, worker: 0, config: { digest: 'd1' } }
    await client.hset(keys.nodes, 'mx2/1', JSON.stringify(facts))
    const config = { alerts: { mail_to: 'a@b.example' }, 'alert chat': { mail: 'c@b.example' } }
    await client.hset(keys.nodesConfigs, 'd1', JSON.stringify(config))
    assert.deepEqual([...(await channelsInUse(store))!], ['mail', 'contact', 'chat'])
    const { alerts_waiting } = await new Alerts(store).read()
    const waiting = alerts_waiting?.map(({ labels, value }) => [labels?.['channel'], value])
    assert.deepEqual(waiting?.sort(), [
      ['chat', 1],
      ['mail', 1],
    ])
  })
})
