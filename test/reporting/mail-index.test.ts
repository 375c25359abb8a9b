import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import { MOST_DOMAINS, MOST_INDEXED, MOST_SAMPLES } from '../../src/reporting/bounds'
import { Flusher } from '../../src/reporting/flusher'
import { findInMail, forgetInMail, type SeenInMail } from '../../src/reporting/mail-index'
import type { Outcome } from '../../src/reporting/outcome'
import type { Source } from '../../src/reporting/rows'
import { Totals } from '../../src/reporting/totals'
import { useRedis } from '../support/registry'
import { ACCEPTED, DAY, HALF_PAST, Reports } from '../support/reporting'

useRedis()

const SOURCE = { domain: 'lure.example', connector: 'contoso/mx', ip: '192.0.2.1', user: '' }
const TODAY = Math.floor(HALF_PAST / DAY) * DAY
const MOST = 20

let reports: Reports
let flusher: Flusher
let waits: string[]

beforeEach(async () => {
  reports = await Reports.create()
  await reports.site.registry.tenants.add('fabrikam', {}, 'test')
  waits = []
  const { tally, recorder, store } = reports
  flusher = new Flusher({
    ...{ tally, recorder, totals: new Totals(store), ready: () => Promise.resolve() },
    ...{ onDrop: (why) => assert.fail(why), onWait: (what) => waits.push(what) },
  })
})

/** A message, with a sample if it has a Message-ID. */
function mail(of: Partial<Source> = {}, messageId?: string, tenant = 'contoso'): void {
  const source = { ...SOURCE, ...of }
  const outcome: Outcome = ACCEPTED
  const batch = reports.tally.batchOf(tenant)!
  batch.addSource(source, 'unregistered', outcome)
  if (messageId !== undefined) batch.addSample(source, messageId, 'helo.example')
}

function found(text: string, most = MOST): Promise<SeenInMail> {
  return findInMail(reports.store, text, reports.clock.now, most)
}

/** What a text finds, as `value tenant`. */
async function values(text: string, kind: keyof SeenInMail): Promise<string[]> {
  const { items } = (await found(text))[kind] as SeenInMail['domains']
  return items.map(({ value, tenant }) => `${value} ${tenant}`)
}

function indexed(): Promise<string[]> {
  const { client, keys } = reports.store
  return client.zrange(keys.mailIndex(reports.day), '0', '-1')
}

describe('the index of mail', () => {
  it('finds domains, addresses and Message-IDs over all tenants once their mail is recorded', async () => {
    mail({}, '<4711.a@lure.example>')
    mail({ domain: 'lure.example', ip: '192.0.2.10' }, undefined, 'fabrikam')
    assert.ok((await found('lure')).isEmpty)
    await flusher.flush()
    const { isEmpty, fullDays, domains } = await found('lure')
    assert.deepEqual([isEmpty, fullDays, domains.hasMore], [false, [], false])
    assert.deepEqual(domains.items, [
      { value: 'lure.example', tenant: 'contoso', day: TODAY },
      { value: 'lure.example', tenant: 'fabrikam', day: TODAY },
    ])
    for (const text of ['192.', '192.0.2.1']) {
      const expected = ['192.0.2.1 contoso', ...(text === '192.' ? ['192.0.2.10 fabrikam'] : [])]
      assert.deepEqual(await values(text, 'addresses'), expected)
    }
    for (const text of ['<4711.a@lure.example>', '4711.a@lure.example', '<4711', '4711.']) {
      assert.deepEqual(await values(text, 'messageIds'), ['4711.a@lure.example contoso'], text)
    }
  })

  it('finds a domain by a name above it, by its address, and in Unicode', async () => {
    mail({ domain: 'a.mail.lure.example' })
    mail({ domain: 'notlure.example' })
    mail({ domain: 'xn--mnchen-3ya.example' })
    await flusher.flush()
    for (const text of ['Lure.Example', 'mail.lure.example', 'Ann@a.mail.lure.example', 'a.m']) {
      assert.deepEqual(await values(text, 'domains'), ['a.mail.lure.example contoso'], text)
    }
    assert.deepEqual(await values('ann@mail.lure.example', 'domains'), [])
    assert.deepEqual(await values('münchen.example', 'domains'), ['xn--mnchen-3ya.example contoso'])
  })

  it('finds an IPv6 address by its /64, and mail without a tenant', async () => {
    mail({ ip: '2001:db8:1:2::/64' })
    const unknown = { ip: '198.51.100.7', user: 'ann', certificate: '' }
    reports.tally.unattributed!.add(unknown, ACCEPTED)
    await flusher.flush()
    for (const text of ['2001:DB8:1:2::99', '2001:db8:1']) {
      assert.deepEqual(await values(text, 'addresses'), ['2001:db8:1:2::/64 contoso'], text)
    }
    assert.deepEqual(await values('198.51.100.7', 'addresses'), ['198.51.100.7 '])
  })

  it('costs Redis one call for what is new on a day, and none for what is not', async () => {
    mail({}, '<1@lure.example>')
    await flusher.flush()
    const calls = async (): Promise<number> => {
      const text = await reports.store.client.info('commandstats')
      return Number(/cmdstat_zadd:calls=(\d+)/.exec(text)?.[1] ?? 0)
    }
    const before = await calls()
    // The tenant is named in the index of tenants with each flush.
    mail({})
    await flusher.flush()
    assert.equal((await calls()) - before, 1)
    mail({ ip: '192.0.2.2' })
    await flusher.flush()
    assert.equal((await calls()) - before, 3)
  })

  it('says the last day of what comes again, the latest first, and how long it keeps it', async () => {
    mail({ domain: 'lure.example' })
    mail({ domain: 'lure-old.example' })
    await flusher.flush()
    const { client, keys } = reports.store
    const expiry = await client.pttl(keys.mailIndex(reports.day))
    assert.ok(expiry > 8 * DAY && expiry <= 9 * DAY, String(expiry))
    await reports.advance(DAY)
    mail({ domain: 'lure.example' })
    await flusher.flush()
    assert.deepEqual((await found('lure')).domains.items, [
      { value: 'lure.example', tenant: 'contoso', day: TODAY + DAY },
      { value: 'lure-old.example', tenant: 'contoso', day: TODAY },
    ])
    await reports.advance(8 * DAY)
    assert.deepEqual(
      (await found('lure')).domains.items.map(({ day }) => day),
      [TODAY + DAY],
    )
  })

  it('shows as many as are asked for, and says that there are more', async () => {
    for (let at = 0; at < 25; at++) mail({ domain: `lure-${10 + at}.example` })
    await flusher.flush()
    const { domains } = await found('lure')
    assert.deepEqual([domains.items.length, domains.hasMore], [MOST, true])
    assert.equal(domains.items[0]!.value, 'lure-10.example')
    assert.equal((await found('lure', 25)).domains.hasMore, false)
  })

  it('holds of a tenant only what its report of the day has rows and samples for', async () => {
    for (let at = 0; at < 3 * MOST_DOMAINS; at++) {
      mail({ domain: `a${at}.example` }, `<${at}@a.example>`)
      mail({ domain: `a${at}.example` }, `<${at}.2@a.example>`)
      if (at % 50 === 0) await flusher.flush()
    }
    await flusher.flush()
    const of = async (letter: string): Promise<number> =>
      (await indexed()).filter((member) => member.startsWith(letter)).length
    assert.equal(await of('d'), MOST_DOMAINS)
    assert.ok((await of('m')) <= 100 * MOST_SAMPLES)
    assert.equal(await of('a'), 1)
  })

  it('takes no more on a day once it is full, and says so', async () => {
    mail({ domain: 'first.example' })
    await flusher.flush()
    const { client, keys } = reports.store
    const fill = `for i = 1, ${MOST_INDEXED} do redis.call('ZADD', KEYS[1], 0, 'dx' .. i .. '.example\\tt') end`
    await client.eval(fill, 1, keys.mailIndex(reports.day))
    mail({ domain: 'late.example' })
    await flusher.flush()
    assert.deepEqual(await values('late', 'domains'), [])
    assert.deepEqual((await found('first')).domains.items.length, 1)
    assert.deepEqual((await found('late')).fullDays, [TODAY])
    assert.equal((await reports.rows(reports.dayKey)).length, 2)
  })

  it('holds a hostile Message-ID as it is, and finds no other by it', async () => {
    const hostile = '<[(*\\xff "x" \u00ff\u{1f4a9}<script>@lure.example>'
    mail({}, hostile)
    mail({ ip: '192.0.2.2' }, '<other@lure.example>')
    await flusher.flush()
    const expected = `${hostile.slice(1, -1)} contoso`
    assert.deepEqual(await values('[(*\\xff', 'messageIds'), [expected])
    assert.deepEqual(await values(hostile, 'messageIds'), [expected])
    assert.deepEqual(await values('***', 'messageIds'), [])
  })

  it('names a purged tenant no more, and others still', async () => {
    mail({}, '<1@lure.example>')
    mail({ domain: 'a.lure.example' }, undefined, 'fabrikam')
    await flusher.flush()
    await forgetInMail(reports.store, 'contoso', reports.clock.now)
    assert.deepEqual(await indexed(), [
      'a192.0.2.1\tfabrikam',
      'bexample.lure.a\tfabrikam',
      'da.lure.example\tfabrikam',
    ])
  })

  it('that Redis does not accept leaves the reports as they are, and people are told', async () => {
    const { client, keys } = reports.store
    const user = `user${reports.day}${keys.prefix}`
    const rules = [
      'on',
      'nopass',
      'allcommands',
      `~${keys.prefix}{[a-z0-9]*`,
      '~clock:*',
      'allchannels',
    ]
    await client.acl('SETUSER', user, 'reset', ...rules, `~${keys.reported}`, `~${keys.totals}*`)
    await client.auth(user, 'x')
    mail({})
    await flusher.flush()
    await client.auth('default', '')
    assert.equal((await reports.rows(reports.dayKey)).length, 1)
    assert.match(waits.join('\n'), /^search does not find new mail: .*NOPERM/)
    assert.deepEqual(await indexed(), [])
  })
})
