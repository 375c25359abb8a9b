import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import type { UnattributedEvent } from '../../src/records/event'
import { EventStream } from '../../src/events/stream'
import type { Outcome } from '../../src/reporting/outcome'
import { Recorder } from '../../src/reporting/recorder'
import { Tally, UNATTRIBUTED } from '../../src/reporting/tally'
import type { UnattributedBatch } from '../../src/reporting/unattributed-batch'
import { ConnectorIndex } from '../../src/directory/connector-index'
import { normalizeIdentities } from '../../src/mail/identities'
import { UnattributedUsers } from '../../src/unusual/unattributed'
import { entries } from '../support/events'
import { configWith } from '../support/judgement'
import { newSite, useRedis, type Site } from '../support/registry'
import { ACCEPTED, REFUSED } from '../support/reporting'

useRedis()

const DEFERRED: Outcome = { ...REFUSED, message: 'deferred' }

let site: Site
let connectors: ConnectorIndex
let config: ReturnType<typeof configWith>
let flushes = 0

beforeEach(() => {
  site = newSite()
  connectors = new ConnectorIndex()
  config = configWith({})
})

function connector(id: string, ...auth: string[]): void {
  const [tenant = '', name = ''] = id.split('/')
  const facts = { tenant, name, enabled: true, addedAt: 0, addedBy: 'test' }
  connectors.set({ ...facts, ...normalizeIdentities({ auth }) })
}

/** Mail without a tenant, as a process reports it. */
async function mail(...sent: readonly (readonly [user: string, ip: string, Outcome])[]) {
  const tally = new Tally(() => {})
  for (const [user, ip, outcome] of sent) {
    tally.unattributed!.add({ ip, user, certificate: '' }, outcome)
  }
  const batch = tally.take(UNATTRIBUTED) as UnattributedBatch
  await new Recorder(site.store, () => 90).recordUnattributed(batch, `p ${++flushes}`)
}

function look(): UnattributedUsers {
  const stream = new EventStream(site.store)
  return new UnattributedUsers({
    ...{ store: site.store, config: () => config, connectors: () => connectors },
    publish: (event) => stream.publish('', event),
  })
}

/** The events published, in order. */
async function published(): Promise<UnattributedEvent[]> {
  return (await entries(site.store)).map(({ alert }) => alert.facts as unknown as UnattributedEvent)
}

describe('AUTH users without a tenant', () => {
  it('are reported once a day, for any number of processes and mails', async () => {
    const one = look()
    await mail(['ann ', '192.0.2.1', ACCEPTED], ['', '192.0.2.2', ACCEPTED])
    await one.run()
    await mail(['ann ', '192.0.2.3', ACCEPTED], ['ann ', '192.0.2.3', ACCEPTED])
    await one.run()
    await look().run()
    assert.deepEqual(await published(), [{ user: 'ann ', ip: '192.0.2.1', messages: 1 }])
    const [first] = await entries(site.store)
    assert.equal(
      first?.alert.title,
      'Mail of AUTH user "ann " is relayed uncounted: it belongs to no tenant',
    )
    assert.equal(first?.alert.severity, 'Medium')
    assert.match(first?.alert.next[0] ?? '', /^tenantctl unattributed /)
  })

  it('are one alert together, of up to a hundred users a day', async () => {
    const one = look()
    const many = Array.from(
      { length: 150 },
      (_, at) => [`user${at}@lure.example`, '192.0.2.1', ACCEPTED] as const,
    )
    await mail(...many)
    await one.run()
    await one.run()
    const all = await entries(site.store)
    assert.equal(all.length, 100)
    assert.equal(all.filter(({ joined }) => !joined).length, 1)
  })

  it('are not reported if none of their mail was relayed, or their name is not kept', async () => {
    await mail(['ann', '192.0.2.1', REFUSED], ['(other)', '(other)', ACCEPTED])
    await look().run()
    assert.deepEqual(await published(), [])
  })

  it('are not reported once they have a connector, in any spelling', async () => {
    await mail(['ann ', '192.0.2.1', ACCEPTED], ['x@all.example', '192.0.2.1', ACCEPTED])
    connector('contoso/users', 'ann', '*@all.example')
    await look().run()
    assert.deepEqual(await published(), [])
    config = configWith({ attribution: { auth: 'false' } })
    await look().run()
    assert.deepEqual((await published()).map(({ user }) => user).sort(), ['ann ', 'x@all.example'])
  })

  it('are reported as deferred, in a separate alert, if two connectors differ in spelling', async () => {
    connector('contoso/users', 'ann')
    connector('fabrikam/mx', 'ann ')
    await mail(['\uff41nn', '192.0.2.1', DEFERRED], ['bob', '192.0.2.1', ACCEPTED])
    await look().run()
    const both = await entries(site.store)
    const twin = both.find(({ alert }) => 'connectors' in alert.facts)!.alert
    assert.deepEqual(twin.facts, {
      ...{ user: '\uff41nn', ip: '192.0.2.1', messages: 1, connectors: 2 },
    })
    assert.match(twin.title, /^Mail of AUTH user "\uff41nn" is deferred: 2 connectors have a user /)
    assert.match(twin.next[0] ?? '', /^tenantctl explain --from SENDER --auth USER /)
    assert.deepEqual(
      both.map(({ joined }) => joined),
      [false, false],
    )
  })
})
