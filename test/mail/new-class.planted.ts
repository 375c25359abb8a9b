import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { tagOf } from '../../plugins/outbound/tag'
import type { HarakaTransaction } from '../../plugins/kit/haraka'
import { Transaction } from '../../plugins/session/transaction'
import { scratchDir } from '../../scripts/services/scratch'
import { contactText } from '../../src/alerts/contact-text'
import { SHIPPED_TEXTS } from '../support/alerts'
import { defaultsOf } from '../../src/allowance/defaults'
import { Ledger, type Defaults } from '../../src/allowance/ledger'
import type { Attributed } from '../../src/decision/attribution'
import { standingOf } from '../../src/decision/classify'
import { isHeld } from '../../src/decision/held'
import { judge } from '../../src/decision/judge'
import { outcomeOf } from '../../src/decision/outcome'
import { formatReply } from '../../src/decision/reply'
import { readSnapshot } from '../../src/directory/snapshot-reader'
import { describe as describeEvent } from '../../src/events/words'
import type { KnownClass } from '../../src/mail/classes'
import { METERS, type Meter } from '../../src/mail/meters'
import { envelopeDomain, parseEnvelope } from '../../src/names/envelope'
import { queuedNote } from '../../src/outbound/note'
import { parseConfig } from '../../src/process/config'
import type { Event } from '../../src/records/event'
import { isSourced } from '../../src/reporting/batch'
import { Recorder } from '../../src/reporting/recorder'
import { Tally } from '../../src/reporting/tally'
import { Totals } from '../../src/reporting/totals'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { Cli } from '../cli/cli'
import { queueFile } from '../support/queue-files'
import { startRedis, type TestRedis } from '../support/redis'

// Runs in a copy of the sources that has one class of mail more: see new-class.long.test.ts.

const SENDER = parseEnvelope('letter@news.lure.example')
/** The class and the meter, both of which these sources know only in that copy. */
const NEWS: string = 'news'
const config = parseConfig({}, '/nowhere').config
const defaults: Defaults = defaultsOf(config)

describe('a class of mail that a row and a line have added', () => {
  let redis: TestRedis
  let cli: Cli
  let store: Store
  const events: Event[] = []

  before(async () => {
    redis = await startRedis()
    cli = new Cli(redis.url)
    store = new Store(redis.client(), new Keys(cli.prefix))
    await cli.given('tenant add contoso', 'domain add contoso contoso.com')
  })
  after(() => redis.stop())

  const snapshotOf = async () => (await readSnapshot(store, 'contoso', undefined))!
  const charge = async (ordinal: number) => {
    const { domainsToken } = await snapshotOf()
    const question = {
      ...{ tenant: 'contoso', transaction: 'F1.1', ordinal, meter: NEWS as Meter, domainsToken },
      ...{ domain: 'news.lure.example', connector: 'contoso/mx', ip: '192.0.2.1' },
    }
    return new Ledger(store, 30_000).charge(question, defaults)
  }
  /** One that this test has not seen yet comes last. */
  const readEvents = async (): Promise<Event[]> => {
    const lines = await store.client.hget(store.keys.tenant('contoso'), 'events')
    return (lines ?? '').split('\n').map((line) => JSON.parse(line) as Event)
  }

  it('is found by the sender, and counts on its own meter', async () => {
    const snapshot = await snapshotOf()
    const sender = standingOf(envelopeDomain(SENDER), snapshot)
    assert.equal(sender.class, NEWS)
    const attribution: Attributed = {
      ...{ kind: 'attributed', tenant: 'contoso', connector: 'contoso/mx', enabled: true },
      ...{ blocked: false, method: 'ip' },
    }
    const situation = { relaying: true, attribution, snapshot, sender, config }
    const judgement = judge({ stage: 'rcpt_ok', recipient: undefined, ...situation })
    assert.deepEqual(judgement, { verdict: 'charge', reason: 'allowance', meter: NEWS })
  })

  it('is charged up to the limit of the ini file, and then restricts the tenant', async () => {
    const answers = []
    for (const ordinal of [1, 2, 3]) answers.push((await charge(ordinal)).answer)
    events.push(...(await readEvents()))
    const last = await charge(4)
    assert.deepEqual([...answers, last.answer], ['CHARGED', 'CHARGED', 'CHARGED', 'TRIPPED'])
    const { reply } = outcomeOf(last, NEWS as Meter, config)
    assert.match(formatReply(reply!), /^550 5\.7\.750 /)
    const usage = await store.client.hkeys(store.keys.usage('contoso'))
    const { letter } = METERS[NEWS as Meter]
    assert.deepEqual(
      usage.filter((field) => /^[a-z]\d+$/.test(field)),
      [`${letter}3600000`],
    )
  })

  it('is alerted with words of its own', async () => {
    const [edge] = events
    assert.equal(edge?.kind === 'allowance' && edge.meter, NEWS)
    const alert = describeEvent('contoso', edge!)
    assert.match(alert.title, /^contoso has used 50 % of its allowance of 3\/1h for newsletters$/)
    assert.deepEqual(alert.next, ['look at the newsletters of contoso'])
    const text = contactText(
      { ...alert, id: 'e', alert: 'e', count: 1 },
      'Contoso',
      'a@b.example',
      SHIPPED_TEXTS,
    )
    assert.match(text!.lines.join('\n'), /2 of 3 recipients within 1h got your newsletters/)
    const trip = (await readEvents()).find(({ kind }) => kind === 'restricted')
    assert.match(describeEvent('contoso', trip!).title, /: contoso, by its newsletters$/)
  })

  it('is shown by status, explain and tenant show, and has an option for its limits', async () => {
    const status = (await cli.json('status', 'contoso')) as Record<string, unknown>
    const window = { window: '1h', limit: 3, defer: false, used: 3, remaining: 0 }
    assert.deepEqual(status[NEWS], [window])
    assert.equal('news_forecast' in status, true)
    assert.match((await cli.run('status', 'contoso')).out, /\nnews +1h +\[#+\] +3 +3 +100 %/)
    assert.match(
      (await cli.run('status', 'contoso')).out,
      /\ntrigger +3 newsletters in 1h reached, from news\.lure\.example/,
    )
    await cli.given('connector add contoso mx --ip 192.0.2.1')
    const explained = await cli.json('explain', '--from', 'a@news.x.example', '--ip', '192.0.2.1')
    assert.equal((explained as { class: string }).class, NEWS)
    await cli.given('tenant set contoso --news-limits 7/1d')
    assert.match((await cli.run('tenant', 'show', 'contoso')).out, /\nnews limits +7\/1d\n/)
    const shown = (await cli.json('tenant', 'show', 'contoso')) as Record<string, unknown>
    assert.equal(shown['news_limits'], '7/1d')
    await cli.given('tenant set contoso --news-limits default')
  })

  it('is reported, as a class and by source', async () => {
    const tally = new Tally(() => {})
    const batch = tally.batchOf('contoso')!
    const source = {
      domain: 'news.lure.example',
      connector: 'contoso/mx',
      ip: '192.0.2.1',
      user: '',
    }
    const accepted = {
      accepted: 1,
      deferred: 0,
      refused: 0,
      refunded: 0,
      message: 'accepted',
    } as const
    const mailClass = NEWS as KnownClass
    assert.ok(isSourced(mailClass))
    batch.addSource(source, mailClass, accepted)
    batch.addSample(source, '<1@news>', 'helo', mailClass)
    batch.ended = performance.now()
    const recorder = new Recorder(store, () => 90)
    await recorder.record('contoso', batch, 'p 1')
    await recorder.noteReported(new Map([['contoso', Date.now()]]))
    const report = (await cli.json('--by', 'ann', 'report', 'contoso', '--by', 'class')) as {
      tenants: Record<string, { recipients?: { accepted: number } }>[]
      rows: { class: string; samples: object[] }[]
    }
    assert.equal(report.tenants[0]?.[NEWS]?.recipients?.accepted, 1)
    assert.deepEqual(
      report.rows.map((row) => [row.class, row.samples.length]),
      [[NEWS, 1]],
    )
    const { out } = await cli.run('report', 'contoso', '--class', NEWS)
    assert.match(out, /news\.lure\.example/)
    assert.match((await cli.run('report', 'contoso', '--by', 'hour')).out, / NEWS\n/)
    const totals = new Totals(store)
    totals.addBatch(batch)
    await totals.flush()
    const metrics = await cli.run('metrics', '--once')
    assert.match(metrics.out, /_recipients_total\{class="news",outcome="accepted"\} 1\n/)
    assert.match(metrics.out, /_used_recipients\{tenant="contoso",meter="news",window="1h"\} 3\n/)
  })

  it('is noted for the queue, held while the tenant is restricted, dropped, and tagged', async () => {
    const haraka = { mail_from: SENDER, notes: {}, rcpt_to: [], uuid: 'F1' }
    const transaction = new Transaction(haraka as unknown as HarakaTransaction)
    const attribution = { kind: 'attributed', tenant: 'contoso', connector: undefined } as const
    const snapshot = await snapshotOf()
    transaction.setSender(attribution as unknown as Attributed, snapshot)
    const note = queuedNote(haraka.notes)!
    assert.equal(note.class, NEWS)
    assert.equal(tagOf(haraka.notes), 'news; tenant=contoso')
    const holding = parseConfig({ restriction: { queued: 'hold' } }, '/nowhere').config
    assert.equal(isHeld(note.class, snapshot, Date.now(), holding), true)

    const site = scratchDir('site')
    for (const folder of ['queue', 'config']) mkdirSync(path.join(site, folder))
    queueFile(path.join(site, 'queue'), { tenant: 'contoso', noted: NEWS })
    const queue = (...words: string[]) =>
      cli.run('--config', path.join(site, 'config'), 'queue', 'contoso', '--local', ...words)
    assert.match((await queue()).out, /\n1 message: 1 news\n/)
    assert.match((await queue('drop', '--yes')).out, /^removed 1 message of contoso/)
  })

  it('is backed up and restored, with its limits and its usage', async () => {
    await cli.given('tenant set contoso --news-limits 5/1h')
    const windows = async (): Promise<unknown> =>
      ((await cli.json('status', 'contoso')) as Record<string, unknown>)[NEWS]
    const before = await windows()
    const file = path.join(scratchDir('backup'), 'b.jsonl')
    await cli.given(`backup ${file}`)
    await store.client.flushall()
    await cli.given(`restore ${file}`)
    assert.deepEqual(await windows(), before)
    const [window] = (await windows()) as { limit: number; used: number }[]
    assert.deepEqual([window?.limit, window?.used], [5, 3])
  })
})
