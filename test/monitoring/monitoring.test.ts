// The rules, the dashboard and the unit are what they say, without a Prometheus.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { packageRoot } from '../../src/base/package-root'
import { FAMILIES, PREFIX } from '../../src/metrics/families'
import { alertRules, dashboardPanels, expressions, readMonitoring } from '../support/monitoring'
import { anchors, prose } from '../support/pages'

const REPOSITORY = 'https://github.com/haraka/haraka-plugin-unregistered-domain/blob/master/'

describe('an alert of monitoring/', () => {
  it('leads to a heading of the runbook', () => {
    for (const { alert, annotations } of alertRules()) {
      const [page, anchor = ''] = (annotations['runbook_url'] ?? '').split('#')
      assert.equal(page, `${REPOSITORY}docs/runbook.md`, alert)
      assert.ok(anchors('docs/runbook.md').includes(anchor), `${alert}: #${anchor}`)
    }
  })

  it('says what has happened, and how bad it is', () => {
    for (const { alert, labels, annotations } of alertRules()) {
      assert.match(labels['severity'] ?? '', /^(critical|warning)$/, alert)
      assert.equal(labels['service'], 'unregistered-domain', alert)
      for (const name of ['summary', 'description'])
        assert.ok(annotations[name], `${alert}: ${name}`)
    }
  })

  it('is in the table of docs/monitoring.md, with its severity', () => {
    const rows = [
      ...prose('docs/monitoring.md').matchAll(
        /^\| \[?(\w+)(?:\]\([^)]*\))? +\| (critical|warning)/gm,
      ),
    ]
    assert.deepEqual(
      rows.map(([, alert, severity]) => [alert, severity]),
      alertRules().map(({ alert, labels }) => [alert, labels['severity']]),
    )
  })

  it('has a test of its own in rules.test.yml', () => {
    const tests = readMonitoring('rules.test.yml')
    for (const { alert } of alertRules()) assert.ok(tests.includes(alert), alert)
  })
})

describe('an expression of monitoring/', () => {
  it('counts two exporters once', () => {
    const once =
      /(?:max without \(instance, job[^)]*\) \((?:(?:rate|increase|resets)\()?|absent\()$/
    for (const expr of expressions()) {
      const metrics = [...expr.matchAll(/unregistered_domain_/g)]
      assert.ok(metrics.length > 0, expr)
      for (const { index } of metrics) assert.match(expr.slice(0, index), once, expr)
    }
  })

  it('names metrics that the exporter has', () => {
    for (const [name] of expressions()
      .join(' ')
      .matchAll(/unregistered_domain_\w+/g)) {
      assert.ok(name.slice(PREFIX.length) in FAMILIES, name)
    }
  })
})

describe('the table of metrics in docs/monitoring.md', () => {
  it('has all that the exporter has, with their types', () => {
    const rows = [
      ...prose('docs/monitoring.md').matchAll(/^\| `([a-z_]+)` +\| (counter|gauge|summary) /gm),
    ]
    assert.deepEqual(
      rows.map(([, name, type]) => [name, type]),
      Object.entries(FAMILIES).map(([name, { type }]) => [name, type]),
    )
  })
})

describe('the dashboard', () => {
  it('asks the data source that is chosen when it is imported', () => {
    const { __inputs: inputs } = JSON.parse(readMonitoring('dashboard.json')) as {
      __inputs: { name: string; pluginId: string }[]
    }
    assert.deepEqual(
      inputs.map(({ name, pluginId }) => [name, pluginId]),
      [['DS_PROMETHEUS', 'prometheus']],
    )
    for (const { title, datasource } of dashboardPanels()) {
      assert.deepEqual(datasource, { type: 'prometheus', uid: '${DS_PROMETHEUS}' }, title)
    }
  })

  it('is drawn on the page with all its panels', () => {
    const picture = readFileSync(path.join(packageRoot(), 'docs/monitoring.svg'), 'utf8')
    for (const { title } of dashboardPanels()) assert.ok(picture.includes(`>${title}<`), title)
  })

  it('has no two panels in one place or with one number', () => {
    const panels = dashboardPanels()
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length)
    const taken = new Set<string>()
    for (const { title, gridPos } of panels) {
      assert.ok(gridPos.x + gridPos.w <= 24, title)
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          assert.ok(!taken.has(`${x} ${y}`), title)
          taken.add(`${x} ${y}`)
        }
      }
    }
  })
})
