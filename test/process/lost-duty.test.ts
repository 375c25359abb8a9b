import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import { Forwarder } from '../../src/events/forwarder'
import { forgetOldReport, tellLost } from '../../src/process/lost-duty'
import type { Alert, WentBack } from '../../src/records/event'
import { forgetLost, readLost, reportLost, type Finding } from '../../src/registry/lost-changes'
import { serverTime } from '../../src/store/server-clock'
import { entries } from '../support/events'
import { newSite, useRedis, type Site } from '../support/registry'

useRedis()

const DAY = 86_400_000
const BEGUN = Date.parse('2026-01-01T10:00:00Z')
const MINUTE = 60_000

let site: Site
/** What leaders logged of what was put back. */
let logged: WentBack[]

beforeEach(() => {
  site = newSite()
  logged = []
})

/** In minutes after {@link BEGUN}: what Redis held, and the latest that was known. */
function marks(found: number, known: number): { found: number; known: number } {
  return { found: (BEGUN + found * MINUTE) * 1000, known: (BEGUN + known * MINUTE) * 1000 }
}

function lost(subject: string, found: number, known: number): Finding {
  const changes = [{ what: 'mode', was: null, is: 'off' }]
  return { kind: 'lost', subject, ...marks(found, known), changes, more: 0 }
}

function missing(subject: string, found: number, known: number): Finding {
  return { kind: 'missing', subject, ...marks(found, known) }
}

function putBack(subject: string): Finding {
  const facts = { what: 'restriction', case: `${subject}:1`, time: BEGUN } as const
  return { kind: 'back', subject, ...facts, ...marks(1, 2) }
}

/** Reported a while ago, so that it may be told. */
async function report(...findings: Finding[]): Promise<void> {
  await reportLost(site.store, findings)
  await age(MINUTE)
}

async function age(ms: number): Promise<void> {
  const { client, keys } = site.store
  await client.hset(keys.lost, { since: (await serverTime(client)) - ms })
}

/** A run of the duty in a process that has just become the leader. */
async function lead(): Promise<void> {
  const store = site.connect()
  const events = { onAlert() {}, onError: assert.fail }
  const forwarder = new Forwarder(store, () => Promise.resolve(), events)
  await tellLost(store, forwarder, (facts) => logged.push(facts)).run()
}

async function alerts(): Promise<Alert[]> {
  return (await entries(site.store)).map(({ alert }) => alert)
}

describe('a Redis that went back in time', () => {
  it('is told in one event, by any number of leaders', async () => {
    await report(lost('contoso', 1, 2), putBack('fabrikam'))
    await lead()
    await lead()
    const [alert, ...more] = await alerts()
    assert.deepEqual(more, [])
    assert.deepEqual([alert!.kind, alert!.severity, alert!.tenant], ['went_back', 'Medium', ''])
    assert.deepEqual(alert!.facts, {
      ...{ from: BEGUN + MINUTE, to: BEGUN + 2 * MINUTE },
      putBack: { count: 1, subjects: ['fabrikam'] },
      lost: { count: 1, subjects: ['contoso'] },
      missing: { count: 0, subjects: [] },
    })
    assert.deepEqual(logged, [])
  })

  it('is told once, even if a leader dies before it has noted that', async () => {
    await report(lost('contoso', 1, 2))
    await lead()
    await site.store.client.hdel(site.store.keys.lost, 'told')
    await lead()
    assert.equal((await alerts()).length, 1)
  })

  it('is told again when more is reported, and not when some of it is withdrawn', async () => {
    await report(lost('contoso', 1, 2), lost('fabrikam', 1, 2))
    await lead()
    await reportLost(site.store, [{ ...lost('contoso', 3, 4), changes: [], more: 0 } as Finding])
    await lead()
    assert.equal((await alerts()).length, 1)
    await reportLost(site.store, [lost('northwind', 1, 2)])
    await lead()
    const [first, second, ...more] = await alerts()
    assert.deepEqual(more, [])
    assert.deepEqual(second!.facts['lost'], { count: 2, subjects: ['fabrikam', 'northwind'] })
    // One alert, until its 15 minutes are over.
    assert.equal(second!.alert, first!.id)
  })

  it('is told at once, and as High, when a change is missing that no process knows', async () => {
    await report(lost('contoso', 1, 2))
    await lead()
    await reportLost(site.store, [missing('@connectors', 1, 3)])
    await lead()
    const [first, second] = await alerts()
    assert.deepEqual([first!.severity, second!.severity], ['Medium', 'High'])
    assert.equal(second!.alert, second!.id)
  })

  it('names the span of what is lost: what was written after the return does not count', async () => {
    await report(lost('contoso', 1, 5), missing('fabrikam', 0, 3), lost('northwind', 9, 6))
    await lead()
    const [alert] = await alerts()
    const { from, to } = alert!.facts
    assert.deepEqual([from, to], [BEGUN + MINUTE, BEGUN + 6 * MINUTE])
  })

  it('names a few of many tenants, and how many there are', async () => {
    const names = Array.from({ length: 12 }, (_, at) => `tenant-${at}`)
    await report(...names.map((name) => lost(name, 1, 2)))
    await lead()
    const [alert] = await alerts()
    assert.match(alert!.title, /changes of tenant-0, .* and 7 more made from/)
  })

  it('is a line of the log where all of it was put back, and no event', async () => {
    await report(putBack('contoso'))
    await lead()
    await lead()
    assert.deepEqual(await alerts(), [])
    assert.deepEqual(
      logged.map((facts) => facts.putBack),
      [{ count: 1, subjects: ['contoso'] }],
    )
  })

  it('is not told in its first seconds, or if all of it was withdrawn in them', async () => {
    await reportLost(site.store, [lost('contoso', 1, 2)])
    await lead()
    assert.deepEqual(await alerts(), [])
    await reportLost(site.store, [{ ...lost('contoso', 1, 2), changes: [], more: 0 } as Finding])
    await age(MINUTE)
    await lead()
    assert.deepEqual(await alerts(), [])
  })

  it('is told anew the next time, after an operator has resolved it', async () => {
    await report(lost('contoso', 1, 2))
    await lead()
    await forgetLost(site.store, 1)
    await lead()
    assert.equal((await alerts()).length, 1)
    await report(lost('contoso', 1, 2))
    await lead()
    assert.equal((await alerts()).length, 2)
  })
})

describe('the report of a Redis that went back in time', () => {
  const forget = async (): Promise<boolean> => {
    await forgetOldReport(site.store).run()
    return (await site.store.client.exists(site.store.keys.lost)) === 0
  }

  it('is forgotten after a day where all of it was put back', async () => {
    await report(putBack('contoso'))
    assert.equal(await forget(), false)
    await age(DAY + MINUTE)
    assert.equal(await forget(), true)
  })

  it('stays until a person has resolved it where something is lost or missing', async () => {
    for (const finding of [lost('contoso', 1, 2), missing('fabrikam', 1, 2)]) {
      await report(putBack('contoso'), finding)
      await age(DAY + MINUTE)
      assert.equal(await forget(), false)
      await forgetLost(site.store, 1)
    }
  })

  it('is no report once all of it was withdrawn', async () => {
    await report(lost('contoso', 1, 2))
    await reportLost(site.store, [{ ...lost('contoso', 1, 2), changes: [], more: 0 } as Finding])
    assert.equal(await readLost(site.store), undefined)
  })
})
