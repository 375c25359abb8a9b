import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { contactText } from '../../src/alerts/contact-text'
import { FORMAT_NAMES, FORMATS, type FormatName } from '../../src/alerts/formats'
import { withLinks } from '../../src/alerts/link'
import { operatorText } from '../../src/alerts/mail-text'
import type { Alert } from '../../src/records/event'
import { anAlert, SHIPPED_TEXTS } from '../support/alerts'

const CONSOLE = 'https://console.example/relay'

/** The alert as a channel with links gets it. */
async function linked(alert: Alert, publicUrl = CONSOLE): Promise<Alert> {
  const seen: Alert[] = []
  const channel = {
    name: 'noc',
    destination: () => 'there',
    deliver: (each: Alert) => {
      seen.push(each)
      return Promise.resolve({ kind: 'delivered' } as const)
    },
  }
  await withLinks(channel, () => publicUrl).deliver(alert)
  return seen[0]!
}

function posted(format: FormatName, alert: Alert): string {
  const url = {
    standard: 'https://hooks.example/x',
    slack: 'https://hooks.slack.example/x',
    teams: 'https://logic.example/x',
    ntfy: 'https://ntfy.example/relay-alerts',
    pagerduty: `https://events.example/?routing_key=${'k'.repeat(32)}`,
  }[format]
  return FORMATS[format].load().post(alert, { url, secret: undefined, at: new Date(0) }).body
}

describe('the link of an alert', () => {
  it('leads to the incident of its case, of its tenant, or to the page of what it is about', async () => {
    for (const [alert, page] of [
      [anAlert({ facts: { case: 'contoso:3' } }), 'incidents/contoso%3A3'],
      [anAlert({ kind: 'allowance', facts: {} }), 'incidents/contoso'],
      [anAlert({ kind: 'lifted', facts: { case: '' } }), 'incidents/contoso'],
      [anAlert({ kind: 'many_restricted', tenant: '', facts: {} }), 'restricted'],
      [anAlert({ kind: 'unattributed', tenant: '', facts: {} }), 'unattributed'],
      [anAlert({ kind: 'host_missing', tenant: '', facts: {} }), 'nodes'],
      [anAlert({ kind: 'paused', tenant: '', facts: {} }), 'enforcement'],
      [anAlert({ kind: 'resolved', tenant: '', facts: { of: 'paused' } }), 'enforcement'],
      [anAlert({ kind: 'resolved', facts: { of: 'allowance' } }), 'incidents/contoso'],
      [anAlert({ kind: 'redis_trouble', tenant: '', facts: {} }), ''],
      [anAlert({ kind: 'went_back', tenant: '', facts: {} }), ''],
      [anAlert({ kind: 'test', tenant: '', facts: {} }), ''],
    ] as const) {
      assert.equal((await linked(alert)).url, `${CONSOLE}/${page}`)
    }
  })

  it('is where each format has a place for it, and in the mail to operators', async () => {
    const alert = await linked(anAlert({ facts: { case: 'contoso:3' } }))
    const link = `${CONSOLE}/incidents/contoso%3A3`
    const body = (format: FormatName): unknown => JSON.parse(posted(format, alert))
    assert.equal((body('standard') as { data: Alert }).data.url, link)
    assert.equal((body('ntfy') as { click: string }).click, link)
    const { links } = body('pagerduty') as { links: object[] }
    assert.deepEqual(links, [{ href: link, text: 'Open in the console' }])
    const [card] = (body('teams') as { attachments: { content: { actions: { url: string }[] } }[] })
      .attachments
    assert.equal(card!.content.actions[0]!.url, link)
    const { text, blocks } = body('slack') as { text: string; blocks: { text: object }[] }
    assert.ok(text.endsWith(`\`\`\`\n${link}`))
    assert.deepEqual(blocks.at(-1)!.text, { type: 'mrkdwn', text: `<${link}|Open in the console>` })
    assert.ok(operatorText(alert).lines.includes(`  ${link}`))
  })

  it('is nowhere without [console] public_url: all is byte for byte as it was', async () => {
    const alert = anAlert({ facts: { case: 'contoso:3' } })
    const same = await linked(alert, '')
    assert.equal(same, alert)
    for (const format of FORMAT_NAMES) assert.doesNotMatch(posted(format, same), /console|"url"/)
    assert.doesNotMatch(operatorText(same).lines.join('\n'), /console/)
  })

  it('is in no mail to the contact of a tenant', async () => {
    const facts = { case: 'contoso:3', scope: 'unregistered' }
    const text = contactText(
      ...([await linked(anAlert({ facts })), 'Contoso', 'ops@relay.example'] as const),
      SHIPPED_TEXTS,
    )
    assert.doesNotMatch(text!.lines.join('\n'), /console|http/)
  })
})
