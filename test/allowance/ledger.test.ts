import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Ledger, type MessageResult } from '../../src/allowance/ledger'
import { parseLimits } from '../../src/mail/limits'
import { Keys } from '../../src/store/keys'
import { ServerClock } from '../../src/store/server-clock'
import { Store } from '../../src/store/store'
import { Allowance, DEFAULTS } from '../support/allowance'
import { MODEL_HOLDS } from '../support/allowance-model'
import { NOON } from '../support/clock'
import { FEW_HOLDS } from '../support/ledger-schedules'
import { theRedis, useRedis } from '../support/registry'
import { removeTenant } from '../../src/registry/tenant-removal'

const SECOND = 1000
const HOUR = 3_600_000
const DAY = 86_400_000

useRedis()

/** A proven forward to one recipient is there. */
async function settle(allowance: Allowance): Promise<MessageResult> {
  const { tenant, transaction, domain, connector, ip } = await allowance.recipient()
  const settlement = { tenant, transaction, domain, connector, ip, ordinals: [1], signatures: [] }
  return allowance.ledger.chargeMessage({ ...settlement, meter: 'forwarded' }, DEFAULTS)
}

describe('a charge', () => {
  it('counts one recipient, and says where that window stands', async () => {
    const allowance = await Allowance.create()
    const first = await allowance.charge()
    assert.deepEqual(first, {
      answer: 'CHARGED',
      used: 1,
      limit: 3,
      window: HOUR,
      edges: [],
      firstWouldTrip: false,
      scope: 'unregistered',
      case: '',
      stale: false,
    })
    assert.equal((await allowance.charge()).used, 2)
    assert.deepEqual(await allowance.used(), [2])
  })

  it('that would go past the limit is not counted, and restricts the tenant', async () => {
    const allowance = await Allowance.create()
    assert.deepEqual(await allowance.answers(3), ['CHARGED', 'CHARGED', 'CHARGED'])
    await allowance.advance(5 * SECOND)
    const tripped = await allowance.charge({
      domain: 'spam.example',
      connector: 'contoso/b',
      ip: '::1',
    })
    assert.equal(tripped.answer, 'TRIPPED')
    assert.deepEqual([tripped.used, tripped.limit, tripped.window], [3, 3, HOUR])
    assert.deepEqual(await allowance.used(), [3])
    assert.deepEqual(await allowance.restriction(), {
      tenant: 'contoso',
      since: NOON + 5 * SECOND,
      by: 'automatic',
      reason: 'allowance of 3/1h exceeded',
      scope: 'unregistered',
      trigger: {
        window: HOUR,
        limit: 3,
        used: 3,
        domain: 'spam.example',
        connector: 'contoso/b',
        ip: '::1',
      },
      case: 'contoso:1',
      onProbation: false,
    })
  })

  it('that trips leaves a restriction without an expiry, and tells every process', async () => {
    const allowance = await Allowance.create({ limits: '1/1h' })
    const { client, keys } = allowance.store
    const before = await client.hget(keys.tenant('contoso'), 'state')
    await allowance.answers(1)
    assert.equal(await client.hget(keys.tenant('contoso'), 'state'), before)

    const heard = new Promise<string>((resolve) => {
      const listener = theRedis().client()
      listener.on('message', (_channel, message) => resolve(message))
      void listener.subscribe(keys.changes).then(() => allowance.charge())
    })
    const { tenant, token } = JSON.parse(await heard) as Record<string, string>
    assert.equal(tenant, 'contoso')
    assert.notEqual(token, before)
    assert.equal(token, await client.hget(keys.tenant('contoso'), 'state'))
    assert.equal(await client.pttl(keys.restriction('contoso')), -1)
  })

  it('of a restricted tenant is not counted, and says the scope', async () => {
    const allowance = await Allowance.create()
    await allowance.block('unregistered')
    const refused = await allowance.charge()
    assert.equal(refused.answer, 'RESTRICTED')
    assert.equal(refused.scope, 'unregistered')
    assert.equal(refused.used, 0)
    await allowance.block('all')
    assert.equal((await allowance.charge()).scope, 'all')
    assert.deepEqual(await allowance.used(), [0])
  })

  it('stays refused when the windows have drained', async () => {
    const allowance = await Allowance.create()
    await allowance.answers(4)
    await allowance.advance(2 * DAY)
    assert.equal((await allowance.charge()).answer, 'RESTRICTED')
  })

  it('on a limit of 0 is refused, and nobody is restricted', async () => {
    const allowance = await Allowance.create({ limits: '5/1h, 0/1d' })
    const refused = await allowance.charge()
    assert.deepEqual(
      [refused.answer, refused.used, refused.limit, refused.window],
      ['ZERO', 0, 0, DAY],
    )
    assert.deepEqual(await allowance.used(), [0, 0])
    assert.equal(await allowance.restriction(), undefined)
  })

  it('on a reached limit with defer is refused, and nobody is restricted', async () => {
    const allowance = await Allowance.create({ limits: '2/1h defer' })
    assert.deepEqual(await allowance.answers(4), ['CHARGED', 'CHARGED', 'DEFER', 'DEFER'])
    assert.equal(await allowance.restriction(), undefined)
    await allowance.advance(HOUR + HOUR / 60)
    assert.equal((await allowance.charge()).answer, 'CHARGED')
  })

  it('on 0 with defer is deferred', async () => {
    const allowance = await Allowance.create({ limits: '0/1h defer' })
    assert.equal((await allowance.charge()).answer, 'DEFER')
  })

  it('past a limit with defer and another one restricts', async () => {
    const allowance = await Allowance.create({ limits: '2/1h defer, 2/1d' })
    assert.deepEqual(await allowance.answers(3), ['CHARGED', 'CHARGED', 'TRIPPED'])
    const limit = (await allowance.restriction())?.trigger
    assert.equal(limit?.window, DAY)
  })

  it('of an unlimited tenant always passes, and is not counted', async () => {
    const allowance = await Allowance.create({ limits: 'unlimited' })
    const before = await allowance.everything()
    const charged = await allowance.charge()
    assert.deepEqual(
      [charged.answer, charged.used, charged.limit, charged.window],
      ['CHARGED', 0, 0, 0],
    )
    assert.deepEqual(await allowance.everything(), before)
  })

  it('finds the limits and the mode of the tenant, then the defaults', async () => {
    const allowance = await Allowance.create({ limits: '1/1h', mode: 'monitor' })
    await allowance.registry.tenants.add('fabrikam', {}, 'test')
    const defaults = { limits: parseLimits('2/1h'), mode: 'enforce' as const }
    assert.deepEqual(await allowance.answers(2, { defaults }), ['CHARGED', 'CHARGED'])
    assert.deepEqual(await allowance.answers(3, { defaults, tenant: 'fabrikam' }), [
      'CHARGED',
      'CHARGED',
      'TRIPPED',
    ])
  })

  it('does nothing for a tenant whose mode is off', async () => {
    const allowance = await Allowance.create({ mode: 'off' })
    const before = await allowance.everything()
    assert.equal((await allowance.charge()).answer, 'OFF')
    assert.equal((await allowance.charge({ defaults: { override: 'monitor' } })).answer, 'CHARGED')
    await allowance.lift()
    const { answer } = await allowance.charge({ defaults: { override: 'off' } })
    assert.equal(answer, 'OFF')
    assert.notDeepEqual(await allowance.everything(), before)
  })

  it('does nothing for a tenant that is not there', async () => {
    const allowance = await Allowance.create()
    const before = await allowance.everything()
    assert.equal((await allowance.charge({ tenant: 'nobody' })).answer, 'GONE')
    assert.deepEqual(await allowance.everything(), before)
  })

  it('of one tenant is none of another', async () => {
    const allowance = await Allowance.create()
    await allowance.registry.tenants.add('fabrikam', {}, 'test')
    await allowance.answers(4)
    assert.equal((await allowance.charge({ tenant: 'fabrikam' })).used, 1)
    assert.equal(await allowance.restriction('fabrikam'), undefined)
  })
})

describe('several windows', () => {
  it('are charged all, or none', async () => {
    const allowance = await Allowance.create({ limits: '2/1m defer, 3/1h defer, 9/1d' })
    assert.deepEqual(await allowance.answers(3), ['CHARGED', 'CHARGED', 'DEFER'])
    assert.deepEqual(await allowance.used(), [2, 2, 2])
    await allowance.advance(2 * 60 * SECOND)
    assert.deepEqual(await allowance.answers(2), ['CHARGED', 'DEFER'])
    assert.deepEqual(await allowance.used(), [1, 3, 3])
  })

  it('answer with the one that has the least left', async () => {
    const allowance = await Allowance.create({ limits: '9/1m, 5/1h, 7/1d' })
    const charged = await allowance.charge()
    assert.deepEqual([charged.used, charged.limit, charged.window], [1, 5, HOUR])
    assert.deepEqual(await allowance.used(), [1, 1, 1])
  })

  it('slide: a recipient is held for the window, and for one bucket more at most', async () => {
    const allowance = await Allowance.create({ limits: '1/1m defer' })
    assert.equal((await allowance.charge()).answer, 'CHARGED')
    await allowance.advance(61 * SECOND - 1)
    assert.equal((await allowance.charge()).answer, 'DEFER')
    await allowance.advance(SECOND)
    assert.equal((await allowance.charge()).answer, 'CHARGED')
    // That one came in the last millisecond of its bucket.
    await allowance.advance(60 * SECOND)
    assert.equal((await allowance.charge()).answer, 'DEFER')
    await allowance.advance(1)
    assert.equal((await allowance.charge()).answer, 'CHARGED')
  })

  it('go on where the clock runs backward', async () => {
    const allowance = await Allowance.create({ limits: '2/1m defer' })
    assert.equal((await allowance.charge()).answer, 'CHARGED')
    await allowance.advance(-30 * SECOND)
    assert.deepEqual(await allowance.answers(2), ['CHARGED', 'DEFER'])
    assert.deepEqual(await allowance.used(), [2])
    await allowance.advance(90 * SECOND)
    assert.deepEqual(await allowance.answers(1), ['DEFER'])
    await allowance.advance(SECOND)
    assert.deepEqual(await allowance.answers(1), ['CHARGED'])
    assert.deepEqual(await allowance.used(), [1])
  })

  describe('after a jump of the clock by a day, and back', () => {
    it('keep all that was counted meanwhile, for one window', async () => {
      const allowance = await Allowance.create({ limits: '2/1m defer' })
      await allowance.charge()
      await allowance.advance(DAY)
      assert.deepEqual(await allowance.answers(3), ['CHARGED', 'CHARGED', 'DEFER'])
      await allowance.advance(-DAY)
      assert.deepEqual(await allowance.used(), [2])
      // The first one, though it counts nothing, is what the window goes on from.
      assert.deepEqual(await allowance.answers(1), ['DEFER'])
      const [window] = (await allowance.usage()).unregistered
      assert.equal(window!.freesAt, NOON + 62 * SECOND)
      await allowance.advance(62 * SECOND - 1)
      assert.deepEqual(await allowance.answers(1), ['DEFER'])
      await allowance.advance(1)
      assert.deepEqual(await allowance.answers(3), ['CHARGED', 'CHARGED', 'DEFER'])
      assert.deepEqual(await allowance.used(), [2])
    })

    it('give back what was counted meanwhile, and of what had left nothing', async () => {
      const allowance = await Allowance.create({ limits: '3/1m' })
      const [before, meanwhile, late] = ['F1.1', 'F1.2', 'F1.3']
      await allowance.charge({ transaction: before })
      await allowance.advance(DAY)
      await allowance.charge({ transaction: meanwhile })
      await allowance.charge({ transaction: late })
      await allowance.advance(-DAY)
      await allowance.charge()
      assert.deepEqual(await allowance.used(), [3])
      await allowance.ledger.refund('contoso', before, [1])
      assert.deepEqual(await allowance.used(), [3])
      await allowance.ledger.refund('contoso', meanwhile, [1])
      assert.deepEqual(await allowance.used(), [2])
      await allowance.advance(62 * SECOND)
      await allowance.charge()
      await allowance.ledger.refund('contoso', late, [1])
      assert.deepEqual(await allowance.used(), [1])
    })

    it('of the null sender, of forwards and of holds go on, too', async () => {
      const scripts = FEW_HOLDS
      const allowance = await Allowance.create(
        { nullLimits: '1/1m', forwardedLimits: '1/1m defer', limits: '9/1m' },
        { scripts },
      )
      const full = async (): Promise<string[]> => [
        (await allowance.charge({ meter: 'null' })).answer,
        (await settle(allowance)).answer,
        ...(await allowance.answers(MODEL_HOLDS)).slice(-1),
        (await allowance.charge()).answer,
      ]
      await allowance.advance(DAY)
      assert.deepEqual(await full(), ['CHARGED', 'FORWARDED', 'HELD', 'BUSY'])
      await allowance.advance(-DAY)
      assert.deepEqual(await full(), ['FULL', 'DEFER', 'BUSY', 'BUSY'])
      await allowance.advance(11 * 60 * SECOND)
      assert.deepEqual(await full(), ['CHARGED', 'FORWARDED', 'HELD', 'BUSY'])
    })

    it('show what they hold where nothing was counted since, and a preview changes nothing', async () => {
      const allowance = await Allowance.create({ limits: '2/1m' })
      await allowance.advance(DAY)
      await allowance.answers(2)
      await allowance.advance(-DAY)
      const before = await allowance.everything()
      const recipient = await allowance.recipient()
      assert.equal((await allowance.ledger.preview(recipient, DEFAULTS)).answer, 'TRIPPED')
      const [window] = (await allowance.usage()).unregistered
      assert.deepEqual([window!.used, window!.freesAt], [2, NOON + 62 * SECOND])
      assert.deepEqual(await allowance.everything(), before)
    })
  })
})

describe('in monitor', () => {
  it('recipients are counted past the limit, and nobody is restricted', async () => {
    const allowance = await Allowance.create({ mode: 'monitor' })
    assert.deepEqual(await allowance.answers(5), Array(5).fill('CHARGED'))
    const [window] = (await allowance.usage()).unregistered
    assert.deepEqual([window?.used, window?.limit, window?.remaining], [5, 3, 0])
    assert.equal(await allowance.restriction(), undefined)
  })

  it('the first would-be trip is kept', async () => {
    const allowance = await Allowance.create({ mode: 'monitor' })
    await allowance.answers(3)
    assert.equal((await allowance.usage()).wouldTrip, undefined)
    await allowance.advance(SECOND)
    assert.equal((await allowance.charge({ domain: 'first.example' })).firstWouldTrip, true)
    await allowance.advance(SECOND)
    assert.equal((await allowance.charge({ domain: 'second.example' })).firstWouldTrip, false)
    assert.deepEqual((await allowance.usage()).wouldTrip, {
      since: NOON + SECOND,
      window: HOUR,
      limit: 3,
      used: 3,
      domain: 'first.example',
      connector: 'contoso/mx',
      ip: '192.0.2.1',
    })
  })

  it('what would restrict nobody is no would-be trip: a limit of 0, one with defer', async () => {
    for (const limits of ['0/1h', '0/1h defer', '1/1h defer']) {
      const allowance = await Allowance.create({ mode: 'monitor', limits })
      assert.deepEqual(await allowance.answers(2), ['CHARGED', 'CHARGED'])
      assert.equal((await allowance.usage()).wouldTrip, undefined)
    }
  })

  it('a restriction stays, and refuses nothing', async () => {
    const allowance = await Allowance.create()
    await allowance.answers(4)
    await allowance.registry.tenants.set('contoso', { mode: 'monitor' })
    assert.equal((await allowance.charge()).answer, 'CHARGED')
    await allowance.block('all')
    assert.equal((await allowance.charge()).answer, 'CHARGED')
    assert.equal((await allowance.charge({ meter: 'null' })).answer, 'CHARGED')
    assert.equal((await allowance.restriction())?.scope, 'all')
    const { answer } = await allowance.charge({ defaults: { override: 'enforce' } })
    assert.equal(answer, 'RESTRICTED')
  })
})

describe('the null sender', () => {
  it('has a meter of its own, which answers FULL and restricts nobody', async () => {
    const allowance = await Allowance.create()
    assert.deepEqual(await allowance.answers(4, { meter: 'null' }), [
      'CHARGED',
      'CHARGED',
      'FULL',
      'FULL',
    ])
    const usage = await allowance.usage()
    assert.deepEqual([usage.null[0]?.used, usage.unregistered[0]?.used], [2, 0])
    assert.equal(await allowance.restriction(), undefined)
    assert.equal((await allowance.charge()).answer, 'CHARGED')
  })

  it('gets FULL whatever kind of limit it is', async () => {
    for (const nullLimits of ['0/1h', '0/1h defer']) {
      const allowance = await Allowance.create({ nullLimits })
      assert.equal((await allowance.charge({ meter: 'null' })).answer, 'FULL')
    }
  })

  it('is stopped by a restriction of scope all only', async () => {
    const allowance = await Allowance.create()
    await allowance.answers(4)
    assert.equal((await allowance.charge({ meter: 'null' })).answer, 'CHARGED')
    await allowance.block('all')
    const refused = await allowance.charge({ meter: 'null' })
    assert.deepEqual([refused.answer, refused.scope], ['RESTRICTED', 'all'])
  })

  it('that is refused leaves nothing in Redis', async () => {
    const allowance = await Allowance.create()
    await allowance.answers(2, { meter: 'null' })
    const before = await allowance.everything()
    const transaction = allowance.transaction()
    for (let ordinal = 1; ordinal <= 3; ordinal++) {
      assert.equal((await allowance.charge({ meter: 'null', transaction, ordinal })).answer, 'FULL')
    }
    assert.deepEqual(await allowance.everything(), before)
  })

  it('of a restricted tenant has a tenth of each limit, rounded up', async () => {
    const allowance = await Allowance.create({ nullLimits: '25/1h, 31/1d', limits: '1/1h' })
    await allowance.answers(2)
    assert.notEqual(await allowance.restriction(), undefined)
    const limits = async () =>
      (await allowance.usage()).null.map(({ limit, remaining }) => [limit, remaining])
    assert.deepEqual(await limits(), [
      [3, 3],
      [4, 4],
    ])
    const { answer, limit } = await allowance.charge({ meter: 'null' })
    assert.deepEqual([answer, limit], ['CHARGED', 3])
    assert.deepEqual(await allowance.answers(3, { meter: 'null' }), ['CHARGED', 'CHARGED', 'FULL'])
    await allowance.advance(2 * HOUR)
    assert.deepEqual(await allowance.answers(2, { meter: 'null' }), ['CHARGED', 'FULL'])
    await allowance.lift(true)
    assert.deepEqual(await limits(), [
      [25, 24],
      [31, 27],
    ])
    assert.equal((await allowance.charge({ meter: 'null' })).answer, 'CHARGED')
  })

  it('has that tenth with a restriction by hand, too; at least one; and none of none', async () => {
    for (const [nullLimits, expected] of [
      ['1/1h', ['CHARGED', 'FULL']],
      ['10/1h defer', ['CHARGED', 'FULL']],
      ['11/1h', ['CHARGED', 'CHARGED']],
      ['0/1h', ['FULL', 'FULL']],
      ['unlimited', ['CHARGED', 'CHARGED']],
    ] as const) {
      const allowance = await Allowance.create({ nullLimits })
      await allowance.block('unregistered')
      assert.deepEqual(await allowance.answers(2, { meter: 'null' }), expected, nullLimits)
    }
  })

  it('keeps all of its limits where the restriction is not in force', async () => {
    for (const defaults of [{ override: 'monitor' }, { mode: 'monitor' }] as const) {
      const allowance = await Allowance.create({ nullLimits: '20/1h' })
      await allowance.block('unregistered')
      const { limit } = await allowance.charge({ meter: 'null', defaults })
      assert.deepEqual(
        [limit, (await allowance.usage('contoso', defaults)).null[0]?.limit],
        [20, 20],
      )
    }
  })

  it('asks nothing of the accepted domains', async () => {
    const allowance = await Allowance.create()
    const charged = await allowance.charge({ meter: 'null', domainsToken: 'old', domain: '' })
    assert.deepEqual([charged.answer, charged.stale], ['CHARGED', false])
  })

  it('would trip nobody in monitor', async () => {
    const allowance = await Allowance.create({ mode: 'monitor' })
    assert.deepEqual(await allowance.answers(3, { meter: 'null' }), Array(3).fill('CHARGED'))
    assert.equal((await allowance.usage()).wouldTrip, undefined)
  })
})

describe('a caller with an old list of domains', () => {
  const old = { domainsToken: 'old' }

  async function withDomains(): Promise<Allowance> {
    const allowance = await Allowance.create()
    await allowance.registry.domains.add(
      'contoso',
      [
        { domain: 'contoso.com', subdomains: true, shared: false },
        { domain: 'contoso.net', subdomains: false, shared: false },
        { domain: 'tickets.example', subdomains: true, shared: true },
        { domain: 'agency.example', subdomains: false, shared: true },
      ],
      'bob smith',
    )
    return allowance
  }

  it('is answered all the same, in a second call that looks for itself', async () => {
    const allowance = await withDomains()
    const recipient = await allowance.recipient(old)
    assert.equal((await allowance.ledger.charge(recipient, DEFAULTS)).stale, true)
    await theRedis().resetCommandStats()
    const charged = await allowance.ledger.charge({ ...recipient, ordinal: 2 }, DEFAULTS)
    assert.deepEqual([charged.answer, charged.used, charged.stale], ['CHARGED', 2, true])
    assert.equal((await theRedis().commandStats())['evalsha'], 2)
  })

  it('is answered in one call where the list is the same', async () => {
    const allowance = await withDomains()
    const recipient = await allowance.recipient()
    assert.equal((await allowance.charge()).stale, false)
    await theRedis().resetCommandStats()
    await allowance.ledger.charge(recipient, DEFAULTS)
    assert.equal((await theRedis().commandStats())['evalsha'], 1)
  })

  for (const [domain, answer] of [
    ['contoso.com', 'REGISTERED'],
    ['a.contoso.com', 'REGISTERED'],
    ['contoso.net', 'REGISTERED'],
    ['a.contoso.net', 'CHARGED'],
    ['a.tickets.example', 'REGISTERED'],
    ['agency.example', 'REGISTERED'],
    ['a.agency.example', 'CHARGED'],
    ['notcontoso.com', 'CHARGED'],
  ] as const) {
    it(`gets ${answer} for ${domain}`, async () => {
      const allowance = await withDomains()
      const result = await allowance.charge({ ...old, domain })
      assert.deepEqual([result.answer, result.stale], [answer, true])
      assert.deepEqual(await allowance.used(), [answer === 'CHARGED' ? 1 : 0])
    })
  }

  it('gets an answer for a sender without a domain', async () => {
    const allowance = await withDomains()
    const charged = await allowance.charge({ ...old, domain: '' })
    assert.deepEqual([charged.answer, charged.stale], ['CHARGED', true])
    const preview = await allowance.ledger.preview(
      await allowance.recipient({ ...old, domain: '' }),
      DEFAULTS,
    )
    assert.equal(preview.answer, 'CHARGED')
  })

  it('gets REGISTERED though it is restricted', async () => {
    const allowance = await withDomains()
    await allowance.block('unregistered')
    assert.equal((await allowance.charge({ ...old, domain: 'contoso.com' })).answer, 'REGISTERED')
    assert.equal((await allowance.charge(old)).answer, 'RESTRICTED')
  })

  it('gets RESTRICTED all the same where a person has restricted all that it sends', async () => {
    const allowance = await withDomains()
    await allowance.block('all')
    const result = await allowance.charge({ ...old, domain: 'contoso.com' })
    assert.deepEqual([result.answer, result.scope, result.stale], ['RESTRICTED', 'all', true])
  })
})

describe('the order in which a charge looks', () => {
  const old = { domainsToken: 'old' }

  it('is the receipt, not-after, the list of domains, the restriction, the windows', async () => {
    const allowance = await Allowance.create({ limits: '1/1h' })
    const recipient = await allowance.recipient({ ...old, domain: 'contoso.com' })
    const domain = { domain: 'contoso.com', subdomains: false, shared: false }
    const answer = async (ledger = allowance.ledger): Promise<string> =>
      (await ledger.charge(recipient, DEFAULTS)).answer

    // All at once stand in its way; what is looked at first is taken away each time.
    await allowance.answers(1)
    await allowance.block('unregistered')
    await allowance.registry.domains.add('contoso', [domain], 'test')
    assert.equal(await answer(allowance.late), 'EXPIRED')
    assert.equal(await answer(), 'REGISTERED')
    await allowance.registry.domains.remove('contoso', ['contoso.com'])
    assert.equal(await answer(), 'RESTRICTED')
    await allowance.lift(true)
    assert.equal(await answer(), 'TRIPPED')
    // And now it has a receipt, which comes before all.
    assert.equal(await answer(allowance.late), 'TRIPPED')
  })
})

describe('a receipt', () => {
  it('answers the same again, and counts nothing and tells no edge again', async () => {
    const allowance = await Allowance.create({ limits: '4/1h' })
    const transaction = 'F1.1'
    await allowance.answers(1)
    const first = await allowance.charge({ transaction })
    assert.equal(first.edges.length, 1)
    await allowance.answers(1)
    await allowance.advance(SECOND)
    const again = await allowance.charge({ transaction })
    assert.deepEqual(again, { ...first, edges: [] })
    assert.deepEqual(await allowance.used(), [3])
    assert.equal((await allowance.charge({ transaction, ordinal: 2 })).used, 4)
  })

  it('answers TRIPPED again, and restricts nobody again', async () => {
    const allowance = await Allowance.create({ limits: '1/1h' })
    await allowance.answers(1)
    const tripped = await allowance.charge({ transaction: 'F1.2' })
    await allowance.lift()
    // The case went with the restriction.
    assert.deepEqual(await allowance.charge({ transaction: 'F1.2' }), { ...tripped, case: '' })
    assert.equal(await allowance.restriction(), undefined)
    assert.deepEqual(await allowance.used(), [0])
  })

  it('answers though the tenant is restricted, its limits others, or its list another', async () => {
    const allowance = await Allowance.create()
    const first = await allowance.charge({ transaction: 'F1.3' })
    await allowance.block('all')
    await allowance.registry.tenants.set('contoso', { limits: '0/1h' })
    const again = await allowance.charge({ transaction: 'F1.3', domainsToken: 'old' })
    assert.deepEqual(again, first)
  })

  it('is gone within the hour', async () => {
    const allowance = await Allowance.create()
    const { client, keys } = allowance.store
    await allowance.charge({ transaction: 'F1.4' })
    const left = await client.pttl(keys.receipt('contoso', 'F1.4'))
    assert.ok(left > HOUR - 60 * SECOND && left <= HOUR, String(left))
  })

  it('is gone within minutes where all of it was given back, a charge to come included', async () => {
    const allowance = await Allowance.create()
    const { client, keys } = allowance.store
    const leftOf = (transaction: string) => client.pttl(keys.receipt('contoso', transaction))
    await allowance.ledger.refund('contoso', 'F1.5', [1])
    const left = await leftOf('F1.5')
    // Longer than the longest command_timeout.
    assert.ok(left > 240 * SECOND && left <= 300 * SECOND, String(left))
    await allowance.charge({ transaction: 'F1.6', ordinal: 1 })
    await allowance.charge({ transaction: 'F1.6', ordinal: 2 })
    await allowance.ledger.refund('contoso', 'F1.6', [1])
    assert.ok((await leftOf('F1.6')) > HOUR - 60 * SECOND)
  })

  it('of one tenant is none of another', async () => {
    const allowance = await Allowance.create()
    await allowance.registry.tenants.add('fabrikam', {}, 'test')
    await allowance.charge({ transaction: 'F1.6' })
    await allowance.charge({ transaction: 'F1.6', tenant: 'fabrikam' })
    assert.equal(await allowance.ledger.refund('fabrikam', 'F1.6', [1]), 1)
    assert.deepEqual(await allowance.used('contoso'), [1])
    assert.deepEqual(await allowance.used('fabrikam'), [0])
  })
})

describe('a charge that comes too late', () => {
  it('does nothing, and trips nobody', async () => {
    const allowance = await Allowance.create({ limits: '1/1h' })
    await allowance.answers(1)
    const before = await allowance.everything()
    const late = await allowance.late.charge(await allowance.recipient(), DEFAULTS)
    assert.equal(late.answer, 'EXPIRED')
    assert.deepEqual(await allowance.everything(), before)
  })

  it('is asked for again where the server’s clock had only run ahead of what we knew', async () => {
    const allowance = await Allowance.create()
    const ledger = new Ledger(allowance.store, 1000)
    for (const ahead of [HOUR, 2 * HOUR]) {
      await allowance.clock.set(allowance.store, Date.now() + ahead)
      const recipient = await allowance.recipient()
      assert.equal((await ledger.charge(recipient, DEFAULTS)).answer, 'CHARGED')
    }
  })

  it('is known for late by the first answer after the server’s clock was set back', () => {
    const clock = new ServerClock(theRedis().client())
    clock.observe(NOON + DAY)
    clock.observe(NOON)
    const now = clock.at(performance.now()) as number
    assert.ok(now >= NOON && now < NOON + HOUR, `${now - NOON} ms ahead`)
  })

  it('needs one listener of a connection, however many ledgers use it', () => {
    const client = theRedis().client()
    const store = new Store(client, new Keys('one:'))
    for (let made = 0; made < 100; made++) new Ledger(store, 1000)
    assert.equal(client.listenerCount('ready'), 1)
  })

  it('gives the answer of its receipt where it has one', async () => {
    const allowance = await Allowance.create()
    const recipient = await allowance.recipient()
    await allowance.ledger.charge(recipient, DEFAULTS)
    assert.equal((await allowance.late.charge(recipient, DEFAULTS)).answer, 'CHARGED')
    assert.deepEqual(await allowance.used(), [1])
  })

  it('does nothing after its refund', async () => {
    const allowance = await Allowance.create()
    assert.equal(await allowance.ledger.refund('contoso', 'F1.1', [1, 2]), 0)
    assert.equal((await allowance.charge({ transaction: 'F1.1' })).answer, 'EXPIRED')
    assert.equal((await allowance.charge({ transaction: 'F1.1', ordinal: 2 })).answer, 'EXPIRED')
    assert.deepEqual(await allowance.used(), [0])
    assert.equal((await allowance.charge({ transaction: 'F1.1', ordinal: 3 })).answer, 'CHARGED')
  })

  it('by a pause of Redis does nothing, whatever had been asked before', async () => {
    const allowance = await Allowance.create({ limits: '2/1h' })
    const client = theRedis().client({ commandTimeout: 1000, maxRetriesPerRequest: 0 })
    // The real clock: the pause is real.
    const store = new Store(client, allowance.store.keys)
    const known = new Ledger(store, 700)
    const never = new Ledger(store, 700)
    const defaults = DEFAULTS
    const recipients = await Promise.all(Array.from({ length: 9 }, () => allowance.recipient()))
    assert.equal((await known.charge(recipients[0]!, defaults)).answer, 'CHARGED')

    theRedis().pause()
    const charges = recipients
      .slice(1)
      .map((recipient, at) => (at % 2 ? known : never).charge(recipient, defaults))
    const settled = await Promise.allSettled(charges)
    theRedis().resume()
    assert.deepEqual(
      settled.map(({ status }) => status),
      Array(8).fill('rejected'),
    )
    // What was sent during the pause has been run before this.
    await client.ping()
    assert.equal(await allowance.restriction(), undefined)
    const usage = await known.usage('contoso', defaults)
    assert.equal(usage?.unregistered[0]?.used, 1)
    assert.equal((await known.charge(recipients[1]!, defaults)).answer, 'CHARGED')
  })
})

describe('a refund', () => {
  it('gives back in every window, once', async () => {
    const allowance = await Allowance.create({ limits: '5/1h, 9/1d' })
    await allowance.charge({ transaction: 'F1.1', ordinal: 1 })
    await allowance.charge({ transaction: 'F1.1', ordinal: 2 })
    assert.equal(await allowance.ledger.refund('contoso', 'F1.1', [2]), 1)
    assert.deepEqual(await allowance.used(), [1, 1])
    assert.equal(await allowance.ledger.refund('contoso', 'F1.1', [2]), 0)
    assert.equal(await allowance.ledger.refund('contoso', 'F1.1', [1, 2]), 1)
    assert.deepEqual(await allowance.used(), [0, 0])
  })

  it('of both meters goes to each its own', async () => {
    const allowance = await Allowance.create()
    await allowance.charge({ transaction: 'F1.1', ordinal: 1 })
    await allowance.charge({ transaction: 'F1.1', ordinal: 2, meter: 'null' })
    await allowance.ledger.refund('contoso', 'F1.1', [2])
    const usage = await allowance.usage()
    assert.deepEqual([usage.unregistered[0]?.used, usage.null[0]?.used], [1, 0])
  })

  it('makes room where it was taken, not later', async () => {
    const allowance = await Allowance.create({ limits: '2/1m defer' })
    await allowance.charge({ transaction: 'F1.1' })
    await allowance.advance(30 * SECOND)
    await allowance.charge({ transaction: 'F1.2' })
    await allowance.advance(15 * SECOND)
    await allowance.ledger.refund('contoso', 'F1.2', [1])
    assert.deepEqual(await allowance.answers(2), ['CHARGED', 'DEFER'])
    // The first one leaves its window, the third one stays.
    await allowance.advance(16 * SECOND)
    assert.deepEqual(await allowance.used(), [1])
  })

  it('of what has left its window changes nothing', async () => {
    const allowance = await Allowance.create({ limits: '2/1m defer, 9/1h' })
    await allowance.charge({ transaction: 'F1.1' })
    await allowance.advance(61 * SECOND)
    await allowance.charge()
    assert.equal(await allowance.ledger.refund('contoso', 'F1.1', [1]), 1)
    assert.deepEqual(await allowance.used(), [1, 1])
    // The same slot of the ring, one turn later.
    await allowance.charge({ transaction: 'F1.2' })
    await allowance.advance(61 * SECOND)
    await allowance.charge()
    await allowance.ledger.refund('contoso', 'F1.2', [1])
    assert.deepEqual(await allowance.used(), [1, 2])
  })

  it('of what was never counted changes nothing: tripped, refused, deferred, unlimited', async () => {
    const allowance = await Allowance.create({ limits: '1/1h' })
    await allowance.answers(1)
    await allowance.charge({ transaction: 'F1.1', ordinal: 1 })
    await allowance.charge({ transaction: 'F1.1', ordinal: 2 })
    assert.equal(await allowance.ledger.refund('contoso', 'F1.1', [1, 2]), 0)
    assert.deepEqual(await allowance.used(), [1])
    assert.equal((await allowance.restriction())?.by, 'automatic')
    assert.equal((await allowance.charge({ transaction: 'F1.1' })).answer, 'TRIPPED')
  })

  it('after a lift changes nothing', async () => {
    const allowance = await Allowance.create({ limits: '1/1h' })
    await allowance.charge({ transaction: 'F1.1' })
    await allowance.answers(1)
    await allowance.lift()
    await allowance.charge()
    assert.equal(await allowance.ledger.refund('contoso', 'F1.1', [1]), 0)
    assert.deepEqual(await allowance.used(), [1])
  })

  it('after a lift that keeps the usage gives back', async () => {
    const allowance = await Allowance.create({ limits: '1/1h' })
    await allowance.charge({ transaction: 'F1.1' })
    await allowance.answers(1)
    await allowance.lift(true)
    assert.deepEqual(await allowance.used(), [1])
    assert.equal(await allowance.ledger.refund('contoso', 'F1.1', [1]), 1)
    assert.deepEqual(await allowance.used(), [0])
  })

  it('after the tenant was removed and registered again changes nothing', async () => {
    const allowance = await Allowance.create()
    await allowance.charge({ transaction: 'F1.1' })
    await removeTenant(allowance.registry.store, 'contoso')
    assert.equal(await allowance.ledger.refund('contoso', 'F1.0', [1]), 0)
    await allowance.advance(1)
    await allowance.registry.tenants.add('contoso', {}, 'test')
    assert.deepEqual(await allowance.used(), [0])
    await allowance.charge()
    assert.equal(await allowance.ledger.refund('contoso', 'F1.1', [1]), 0)
    assert.deepEqual(await allowance.used(), [1])
  })

  it('works while the tenant is restricted, and lifts nothing', async () => {
    const allowance = await Allowance.create({ limits: '1/1h' })
    await allowance.charge({ transaction: 'F1.1' })
    await allowance.answers(1)
    assert.equal(await allowance.ledger.refund('contoso', 'F1.1', [1]), 1)
    assert.deepEqual(await allowance.used(), [0])
    assert.equal((await allowance.charge()).answer, 'RESTRICTED')
  })

  it('takes as many recipients as a transaction can have', async () => {
    const allowance = await Allowance.create({ limits: '100000/1h' })
    await allowance.charge({ transaction: 'F1.1', ordinal: 1 })
    await allowance.charge({ transaction: 'F1.1', ordinal: 20_000 })
    const ordinals = Array.from({ length: 20_000 }, (_, at) => at + 1)
    assert.equal(await allowance.ledger.refund('contoso', 'F1.1', ordinals), 2)
    assert.deepEqual(await allowance.used(), [0])
    assert.equal(await allowance.ledger.refund('contoso', 'F1.1', []), 0)
  })
})

describe('limits that change', () => {
  const set = (allowance: Allowance, limits: string | null) =>
    allowance.registry.tenants.set('contoso', { limits })

  it('keep the usage of a window that stays', async () => {
    const allowance = await Allowance.create({ limits: '3/1h' })
    await allowance.answers(2)
    await set(allowance, '9/60m')
    assert.deepEqual(await allowance.used(), [2])
    assert.equal((await allowance.charge()).used, 3)
  })

  it('start a window of a new length empty', async () => {
    const allowance = await Allowance.create({ limits: '3/1h' })
    await allowance.answers(2)
    await set(allowance, '3/2h')
    assert.deepEqual(await allowance.used(), [0])
    assert.deepEqual(await allowance.answers(1), ['CHARGED'])
  })

  it('let a window age that is not named', async () => {
    const allowance = await Allowance.create({ limits: '3/1h, 9/1d' })
    await allowance.answers(2)
    await set(allowance, '9/1d')
    await allowance.answers(1)
    await set(allowance, '3/1h, 9/1d')
    assert.deepEqual(await allowance.used(), [2, 3])
    await set(allowance, '9/1d')
    await allowance.advance(2 * HOUR)
    await allowance.answers(1)
    await set(allowance, '3/1h, 9/1d')
    assert.deepEqual(await allowance.used(), [0, 4])
  })

  it('to below the usage restrict at the next recipient', async () => {
    const allowance = await Allowance.create({ limits: '3/1h' })
    await allowance.answers(3)
    await set(allowance, '2/1h')
    assert.equal(await allowance.restriction(), undefined)
    const tripped = await allowance.charge()
    assert.deepEqual([tripped.answer, tripped.used, tripped.limit], ['TRIPPED', 3, 2])
  })

  it('to unlimited and back keep what was counted', async () => {
    const allowance = await Allowance.create({ limits: '3/1h' })
    await allowance.charge({ transaction: 'F1.1' })
    await set(allowance, 'unlimited')
    await allowance.answers(5)
    assert.deepEqual(await allowance.used(), [])
    await set(allowance, null)
    assert.deepEqual(await allowance.used(), [1])
    assert.equal(await allowance.ledger.refund('contoso', 'F1.1', [1]), 1)
    assert.deepEqual(await allowance.used(), [0])
  })

  it('while a charge is open: its refund goes where it was counted', async () => {
    const allowance = await Allowance.create({ limits: '3/1h, 9/1d' })
    await allowance.charge({ transaction: 'F1.1' })
    await set(allowance, '9/1d, 3/2h')
    await allowance.answers(1)
    assert.equal(await allowance.ledger.refund('contoso', 'F1.1', [1]), 1)
    assert.deepEqual(await allowance.used(), [1, 1])
    await set(allowance, '3/1h')
    assert.deepEqual(await allowance.used(), [0])
  })
})

describe('a preview', () => {
  const scenes: Record<string, (allowance: Allowance) => Promise<unknown>> = {
    CHARGED: () => Promise.resolve(),
    TRIPPED: (allowance) => allowance.answers(3),
    RESTRICTED: (allowance) => allowance.answers(4),
    ZERO: ({ registry }) => registry.tenants.set('contoso', { limits: '0/1h' }),
    DEFER: ({ registry }) => registry.tenants.set('contoso', { limits: '0/1h defer' }),
    OFF: ({ registry }) => registry.tenants.set('contoso', { mode: 'off' }),
    GONE: ({ registry }) => removeTenant(registry.store, 'contoso'),
  }
  for (const [answer, arrange] of Object.entries(scenes)) {
    it(`says ${answer}, and writes nothing`, async () => {
      const allowance = await Allowance.create()
      const recipient = await allowance.recipient()
      await arrange(allowance)
      const before = await allowance.everything()
      assert.equal((await allowance.ledger.preview(recipient, DEFAULTS)).answer, answer)
      assert.deepEqual(await allowance.everything(), before)
      if (answer !== 'GONE') {
        assert.equal((await allowance.ledger.charge(recipient, DEFAULTS)).answer, answer)
      }
    })
  }

  it('says FULL, REGISTERED, and CHARGED in monitor, and writes nothing', async () => {
    const allowance = await Allowance.create({ mode: 'monitor', limits: '1/1h' })
    await allowance.registry.domains.add(
      'contoso',
      [{ domain: 'contoso.com', subdomains: true, shared: false }],
      'test',
    )
    await allowance.answers(1)
    await allowance.answers(2, { meter: 'null' })
    const before = await allowance.everything()
    const { ledger } = allowance
    const monitored = await ledger.preview(await allowance.recipient(), DEFAULTS)
    assert.deepEqual([monitored.answer, monitored.used, monitored.limit], ['CHARGED', 2, 1])
    const enforced = { ...DEFAULTS, override: 'enforce' as const }
    const full = await ledger.preview(await allowance.recipient({ meter: 'null' }), enforced)
    assert.equal(full.answer, 'FULL')
    const old = await allowance.recipient({ domainsToken: 'old', domain: 'a.contoso.com' })
    assert.equal((await ledger.preview(old, enforced)).answer, 'REGISTERED')
    assert.deepEqual(await allowance.everything(), before)
  })
})

describe('many at the same time', () => {
  it('get exactly what the limit allows, and trip once', async () => {
    const allowance = await Allowance.create({ limits: '50/1h, 1000/1d' })
    const ledgers = await connections(allowance, 4)
    const recipients = await Promise.all(Array.from({ length: 200 }, () => allowance.recipient()))
    const results = await Promise.all(
      recipients.map((recipient, at) => ledgers[at % 4]!.charge(recipient, DEFAULTS)),
    )
    const count = (answer: string) => results.filter((result) => result.answer === answer).length
    assert.deepEqual(
      { charged: count('CHARGED'), tripped: count('TRIPPED'), restricted: count('RESTRICTED') },
      { charged: 50, tripped: 1, restricted: 149 },
    )
    const used = results.filter(({ answer }) => answer === 'CHARGED').map((result) => result.used)
    assert.deepEqual(
      used.sort((a, b) => a - b),
      Array.from({ length: 50 }, (_, at) => at + 1),
    )
    assert.deepEqual(await allowance.used(), [50, 50])
  })

  it('with refunds and repeats among them never pass the limit', async () => {
    const allowance = await Allowance.create({ limits: '20/1h defer' })
    const ledgers = await connections(allowance, 4)
    let taken = 0
    let most = 0
    let given = 0
    await Promise.all(
      Array.from({ length: 200 }, async (_, at) => {
        const ledger = ledgers[at % 4]!
        const recipient = await allowance.recipient()
        const results = await Promise.all([
          ledger.charge(recipient, DEFAULTS),
          ...(at % 5 === 0 ? [ledgers[(at + 1) % 4]!.charge(recipient, DEFAULTS)] : []),
        ])
        // DEFER leaves no receipt: the repeat may find room that a refund has made meanwhile.
        const result = results.find(({ answer }) => answer === 'CHARGED')
        if (!result) return
        most = Math.max(most, result.used)
        if (at % 3 !== 0) {
          taken++
          return
        }
        const refunds = await Promise.all(
          [1, 2].map(() => ledger.refund('contoso', recipient.transaction, [1])),
        )
        assert.deepEqual(refunds.sort(), [0, 1])
        given++
      }),
    )
    assert.ok(most <= 20, `used ${most}`)
    assert.ok(taken <= 20, `taken ${taken}`)
    assert.ok(given > 0)
    assert.deepEqual(await allowance.used(), [taken])
  })
})

async function connections(allowance: Allowance, count: number): Promise<Ledger[]> {
  const ledgers: Ledger[] = []
  for (let at = 0; at < count; at++) {
    const client = theRedis().client()
    await client.ping()
    const store = new Store(client, allowance.store.keys, allowance.clock.includes)
    ledgers.push(new Ledger(store, 1e13))
  }
  return ledgers
}
