// The leader alerts about unusual mail of a tenant.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { startRelay, tenantctl, waitFor, type TestRelay } from '../support'
import { entries } from '../support/events'
import { recorded } from '../support/reports'
import { age, days, LATER, play, Scenario } from '../unusual/scenario'

const INTRUDER = '127.77.200.66'
const NEWSLETTER = '127.77.201.1'

/** A tenant with 40 days of a school's mail, and a connector as old. */
async function school(relay: TestRelay, id: string, network: string): Promise<void> {
  await relay.tenant(id, { connectors: { mx: { ip: [network] } } })
  await age(relay.registry, id)
  const source = { connector: `${id}/mx`, ip: network.replace('0/24', '1') }
  await play(relay.store, id, new Scenario().routine({ days: days(1, 40), source }), LATER)
  await relay.attributed({ localAddress: source.ip }, `${id}/mx`)
}

it('A takeover from a new address with many domains is alerted once for each rule; a newsletter is not', async (t) => {
  const relay = await startRelay({ nodes: 2 })
  t.after(() => relay.stop())
  await school(relay, 'contoso', '127.77.200.0/24')
  await school(relay, 'fabrikam', '127.77.201.0/24')

  const intruder = await relay.haraka.connect({ localAddress: INTRUDER })
  for (let each = 0; each < 110; each++) {
    const sent = await intruder.send({ from: `x@lure${each}.example`, to: `a${each}@far.example` })
    assert.equal(sent.delivered, true)
  }
  await intruder.quit()
  const readers = Array.from({ length: 100 }, (_, at) => `reader${at}@far.example`)
  const newsletter = await relay.haraka.connect({ localAddress: NEWSLETTER })
  for (let each = 0; each < 5; each++) {
    await newsletter.send({ from: 'news@fabrikam.example', to: readers })
  }
  await newsletter.quit()
  await waitFor(async () => (await recorded(relay.store, 'contoso', 'unregistered')) >= 110)
  await waitFor(async () => (await recorded(relay.store, 'fabrikam', 'registered')) >= 500)

  const args = ['--redis', `redis://127.0.0.1:${relay.redis.port}`]
  const shown = await tenantctl([...args, 'unusual'])
  assert.match(shown.stdout, /\ncontoso {2}domains .*\d+ unregistered domains in the hour from /)
  assert.match(shown.stdout, /\ncontoso {2}new_source .* from address 127\.77\.200\.66, not seen /)
  assert.doesNotMatch(shown.stdout, /fabrikam/)

  // A new leader checks at once, not only after five minutes.
  await relay.haraka.restart()
  const told = async (): Promise<string[]> =>
    (await entries(relay.store)).map(
      ({ kind, tenant, alert }) =>
        `${tenant} ${kind} ${String(alert.facts['rule'])} ${alert.severity}`,
    )
  await waitFor(async () => (await told()).length >= 3)
  assert.deepEqual((await told()).sort(), [
    'contoso unusual domains Medium',
    'contoso unusual new_source Medium',
    'contoso unusual volume Medium',
  ])
  await relay.haraka.waitForLog(/\[WARN\] .* alert .*contoso/)
  assert.doesNotMatch(relay.haraka.log, /unhandled|Caught exception/i)
})
