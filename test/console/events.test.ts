import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readNewest } from '../../src/events/newest'
import { DAY } from '../../src/reporting/calendar'
import type { Store } from '../../src/store/store'
import { addToStream, anAlert } from '../support/alerts'
import { newConsole, textOf } from '../support/console'
import { newSite, useRedis } from '../support/registry'

useRedis()

const now = Date.now()

/** Adds events at some times in ms. */
async function addAt({ client, keys }: Store, times: readonly number[]): Promise<void> {
  const pipeline = client.pipeline()
  for (const [at, time] of times.entries()) {
    const alert = anAlert({ id: `evt_${at}`, title: `event ${at}` })
    pipeline.xadd(keys.events, `${time}-*`, 'joined', '', 'json', JSON.stringify(alert))
  }
  await pipeline.exec()
}

describe('the newest events', () => {
  const layouts = {
    'spread over a month': (at: number) => now - (2000 - at) * (DAY / 70),
    'in one second, ten days ago': (at: number) => now - 10 * DAY + Math.floor(at / 2),
    'in the last second': (at: number) => now - 1000 + Math.floor(at / 2),
    'old ones, and a few new ones': (at: number) =>
      at < 1990 ? now - 20 * DAY + at : now - 2000 + at,
  }
  for (const [name, timeOf] of Object.entries(layouts)) {
    it(`are the end of the stream where they came ${name}`, async () => {
      const { store } = newSite()
      await addAt(
        store,
        Array.from({ length: 2000 }, (_, at) => Math.floor(timeOf(at))),
      )
      const { entries, more } = await readNewest(store, 100)
      assert.ok(more)
      assert.ok(entries.length >= 50 && entries.length <= 100, `${entries.length}`)
      assert.deepEqual(
        entries.map(({ alert }) => alert.id),
        entries.map((_, at) => `evt_${1999 - at}`),
      )
    })
  }

  it('are all where they are few', async () => {
    const { store } = newSite()
    assert.deepEqual(await readNewest(store, 100), { entries: [], more: false })
    await addAt(store, [now - 20 * DAY, now])
    const { entries, more } = await readNewest(store, 2)
    assert.deepEqual([entries.length, more], [2, false])
  })
})

describe('the page of events', () => {
  it('says that there are none', async () => {
    assert.match(textOf(await newConsole().as('viewer').page('/events')), /There are no events\./)
  })

  it('shows kind, severity and tenant, leads to the incident, and marks snoozed ones', async () => {
    const { store, as } = newConsole()
    const snoozed = { until: now + DAY, by: 'ann' }
    const contoso = { tenant: 'contoso', kind: 'restricted', severity: 'High' } as const
    await addToStream(
      store,
      anAlert({ ...contoso, title: 'contoso is restricted', facts: { case: 'contoso:3' } }),
    )
    const low = { severity: 'Low', title: 'fabrikam used 50 %', snoozed } as const
    await addToStream(store, anAlert({ tenant: 'fabrikam', kind: 'allowance', ...low }))
    const page = await as('viewer').page('/events')
    const text = textOf(page)
    assert.match(text, /Low allowance fabrikam fabrikam used 50 % snoozed by ann until/)
    assert.match(text, /High restricted contoso contoso is restricted/)
    assert.match(page, /href="\/incidents\/contoso%3A3"/)

    const filtered = textOf(await as('viewer').page('/events?kind=restricted&tenant=contoso'))
    assert.match(filtered, /contoso is restricted/)
    assert.doesNotMatch(filtered, /fabrikam used/)
    assert.match(filtered, /tenantctl events --tenant contoso/)
    const none = textOf(await as('viewer').page('/events?tenant=nobody'))
    assert.match(none, /None of these events is of that kind and tenant/)
  })

  it('says that it shows the newest ones only', async () => {
    const { store, as } = newConsole()
    await addAt(
      store,
      Array.from({ length: 500 }, (_, at) => now - 500 + at),
    )
    const page = await as('viewer').page('/events')
    assert.match(textOf(page), /Chosen from the newest \d+ events; the command reads all/)
    assert.ok(page.split('<tr>').length <= 202)
  })
})
