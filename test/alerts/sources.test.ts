import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { operatorText } from '../../src/alerts/mail-text'
import { sourcesOf } from '../../src/alerts/sources'
import { Forwarder } from '../../src/events/forwarder'
import type { Event } from '../../src/records/event'
import type { Store } from '../../src/store/store'
import { NOON } from '../support/clock'
import { entries, factsOf, raise } from '../support/events'
import { newSite, useRedis } from '../support/registry'
import { record } from '../support/reports'

const WEB = { connector: 'contoso/web', ip: '192.0.2.20', user: 'shop' }
const flush = (): Promise<void> => Promise.resolve()

useRedis()

/** Mail of the hour before noon. */
async function mailOf(store: Store): Promise<void> {
  await record(store, 'contoso', { at: NOON - 1, connector: 'contoso/exchange', accepted: 7 })
  await record(store, 'contoso', {
    ...{ at: NOON - 1, ...WEB, domain: 'bank.example', accepted: 293 },
    messages: { accepted: 59 },
  })
  await record(store, 'contoso', { at: NOON - 1, class: 'forwarded', ...WEB, accepted: 500 })
}

function event(kind: 'restricted' | 'allowance' | 'lifted', more: object = {}): Event {
  return { ...factsOf(kind), kind, id: `evt_${kind}`, at: NOON, ...more } as unknown as Event
}

describe('an alert about an allowance or a restriction', () => {
  it('names the connectors, domains and addresses of the day before, with their shares', async () => {
    const { store } = newSite()
    await mailOf(store)
    const expected = {
      connectors: 'web 59/293; exchange 7/7',
      domains: 'bank.example 59/293; lure.example 7/7',
      addresses: '192.0.2.20 59/293; 192.0.2.1 7/7',
    }
    for (const kind of ['restricted', 'allowance'] as const) {
      const { sources } = await sourcesOf({ store, flush }, 'contoso', event(kind))
      assert.deepEqual(sources, expected)
    }
    // A person placed it: of the usual meter.
    const byHand = event('restricted', { trigger: undefined })
    assert.deepEqual(await sourcesOf({ store, flush }, 'contoso', byHand), { sources: expected })
    const forwards = event('allowance', { meter: 'forwarded' })
    const { sources } = await sourcesOf({ store, flush }, 'contoso', forwards)
    assert.match(sources?.connectors ?? '', /^web \d+\/500$/)
  })

  it('says nothing of mail that it is not about, or that there was none of', async () => {
    const { store } = newSite()
    assert.deepEqual(await sourcesOf({ store, flush }, 'contoso', event('restricted')), {})
    await mailOf(store)
    assert.deepEqual(await sourcesOf({ store, flush }, 'contoso', event('lifted')), {})
    const later = event('restricted', { at: NOON + 3 * 86_400_000 })
    assert.deepEqual(await sourcesOf({ store, flush }, 'contoso', later), {})
  })

  it('has them in the stream and in the mail to operators', async () => {
    const { store } = newSite()
    await mailOf(store)
    const unexpected = (message: string): void => assert.fail(message)
    const events = { onAlert: () => {}, onError: unexpected }
    const forwarder = new Forwarder(store, () => Promise.resolve(), events)
    forwarder.beforePublish.push((tenant, of) => sourcesOf({ store, flush }, tenant, of))
    await raise(store, 'contoso', 'restricted', { at: NOON, id: 'evt_noon' })
    await forwarder.forward('contoso')
    const [{ alert } = assert.fail('there is no entry')] = await entries(store)
    assert.match(
      operatorText(alert).lines.join('\n'),
      /^ {2}sources connectors +web 59\/293; exchange 7\/7$/m,
    )
  })
})
