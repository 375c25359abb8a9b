import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { scratchDir } from '../../scripts/services/scratch'
import type { RawIni } from '../../src/config/stray-lines'
import { EffectiveConfig } from '../../src/console/server/effective-config'
import { pauseEnforcement } from '../../src/enforcement/pause'
import { formatLimits } from '../../src/mail/limits'
import { registerDomains } from '../../src/operations/register-domains'
import { parseConfig } from '../../src/process/config'
import { nodeConfig } from '../../src/process/node-config'
import type { Store } from '../../src/store/store'
import { beat, LONG_AGO } from '../support/nodes'
import { newSite, useRedis } from '../support/registry'

useRedis()

const directory = scratchDir('config')
writeFileSync(path.join(directory, 'never'), 'a.example\nb.example\n')

/** What a console with this ini file takes for its settings. */
function effective(store: Store, raw: RawIni = {}) {
  return new EffectiveConfig(store, parseConfig(raw, directory).config).get()
}

/** Processes report what they have in effect of this ini file. */
async function report(store: Store, ids: readonly string[], raw: RawIni, ago = 0): Promise<void> {
  const { settings } = parseConfig(raw, directory)
  const { digest, text } = nodeConfig(settings, 'site', 'salt')
  await store.client.hset(store.keys.nodesConfigs, digest, text)
  for (const id of ids) await beat(store, { id, config: { digest, ofHost: '', changed: 0 } }, ago)
}

/** What Haraka has. */
const OF_HARAKA = {
  main: { mode: 'monitor', refuse_at: 'rcpt' },
  allowance: { limits: '7/1h, 9/1d' },
  case: { checklist: 'require' },
  console: { public_url: 'https://relay.example' },
  alerts: { mail_to: 'ops@relay.example' },
}

describe('the settings of the pages', () => {
  it('are those of the own ini file while no process has reported', async () => {
    const { store } = newSite()
    const config = await effective(store, OF_HARAKA)
    assert.equal(config.main.mode, 'monitor')
    assert.equal(formatLimits(config.allowance.limits), '7/1h, 9/1d')
    await report(store, ['mx1/a'], {}, LONG_AGO)
    assert.equal((await effective(store, OF_HARAKA)).main.mode, 'monitor')
  })

  it('are those of most processes, over an ini file that has only [redis] and [console]', async () => {
    const { store } = newSite()
    await report(store, ['mx3/a'], { main: { mode: 'off' } })
    await report(store, ['mx1/a', 'mx2/a'], OF_HARAKA)
    const own = { redis: { prefix: 'own:' }, console: { operators: 'ann' } }
    const { main, allowance, case: cases, redis, console } = await effective(store, own)
    assert.deepEqual([main.mode, main.refuseAt, cases.checklist], ['monitor', 'rcpt', 'require'])
    assert.equal(formatLimits(allowance.limits), '7/1h, 9/1d')
    assert.equal(redis.prefix, 'own:')
    assert.deepEqual([console.operators, console.publicUrl], [['ann'], ''])
  })

  it('are the defaults where processes have those, whatever the own ini file says', async () => {
    const { store } = newSite()
    await report(store, ['mx1/a'], {})
    assert.equal((await effective(store, OF_HARAKA)).main.mode, 'enforce')
  })

  it('keep what only a host decides from the own ini file', async () => {
    const { store } = newSite()
    await report(store, ['mx1/a'], OF_HARAKA)
    const { outage } = await effective(store, { outage: { snapshot: '/var/lib/own.jsonl' } })
    assert.equal(outage.snapshot, '/var/lib/own.jsonl')
  })

  it('have a pause of enforcement', async () => {
    const { store } = newSite()
    const order = { by: 'ann', reason: 'x', words: 'x', everything: false, duration: 60_000 }
    await pauseEnforcement(store, order)
    assert.equal((await effective(store)).main.override, 'pause')
  })

  it('open no file that a process names, and register nothing by a list that is not here', async () => {
    const { store } = newSite()
    const raw = { registry: { never_register_file: 'never' } }
    await report(store, ['mx1/a'], raw)
    const domains = [{ domain: 'c.example', subdomains: false, shared: false }]
    const add = ({ registry }: Awaited<ReturnType<typeof effective>>, anyProvider: boolean) =>
      registerDomains(store, 'contoso', domains, { by: 'ann', anyProvider, ...registry })
    const config = await effective(store)
    await assert.rejects(
      add(config, false),
      /list of names .* \(2 names, \w+\), and it is not here/,
    )
    await assert.rejects(add(config, true), /there is no tenant "contoso"/)
    await assert.rejects(add(await effective(store, raw), false), /there is no tenant "contoso"/)
  })
})
