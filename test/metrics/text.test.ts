import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { FAMILIES, PREFIX, type FamilyName } from '../../src/metrics/families'
import { metricsText, single, type Samples } from '../../src/metrics/text'
import { parseText } from '../support/prometheus-text'

const NAMES = Object.keys(FAMILIES) as FamilyName[]

describe('the text of metrics', () => {
  it('is read back as it was meant, whatever a value holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (host, tenant) => {
        const text = metricsText({
          held_messages: [
            { labels: { host: `a${host}` }, value: 1 },
            { labels: { host: `b${tenant}\n"} 7\\`, role: tenant }, value: 0.25 },
          ],
          redis_up: single(1),
        })
        assert.deepEqual(parseText(text), [
          { name: `${PREFIX}redis_up`, labels: {}, value: 1 },
          { name: `${PREFIX}held_messages`, labels: { host: `a${host}` }, value: 1 },
          {
            name: `${PREFIX}held_messages`,
            labels: { host: `b${tenant}\n"} 7\\`, role: tenant },
            value: 0.25,
          },
        ])
      }),
    )
  })

  it('leaves out what is not known', () => {
    assert.equal(metricsText({ tenants: [] }), '')
  })

  it('has names, types and help as Prometheus wants them', (t) => {
    const all = NAMES.map((name) => [
      name,
      FAMILIES[name].type === 'summary' ? [{ labels: { quantile: '0.5' }, value: 1 }] : single(1),
    ])
    const text = metricsText(Object.fromEntries(all) as Samples)
    assert.equal(parseText(text).length, NAMES.length)
    for (const [name, { type }] of Object.entries(FAMILIES)) {
      assert.equal(name.endsWith('_total'), type === 'counter', name)
    }
    const { error, stdout, stderr, status } = spawnSync('promtool', ['check', 'metrics'], {
      input: text,
      encoding: 'utf8',
    })
    if (error) t.skip('promtool is not installed')
    else assert.deepEqual([stdout, stderr, status], ['', '', 0])
  })
})
