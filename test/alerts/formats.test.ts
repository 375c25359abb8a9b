import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { FORMAT_NAMES, FORMATS, type FormatName } from '../../src/alerts/formats'
import { defanged } from '../../src/alerts/formats/plain'
import { packageRoot } from '../../src/base/package-root'
import { describe as describeEvent } from '../../src/events/words'
import type { Alert, Event } from '../../src/records/event'
import { anAlert } from '../support/alerts'
import { readNtfy, readPagerduty, readSlack, readTeams } from '../support/receivers'

const KEY = 'k'.repeat(32)
const URLS: Record<FormatName, string> = {
  standard: 'https://hooks.example/x',
  slack: 'https://hooks.slack.example/services/T0/B0/secret',
  teams: 'https://prod.logic.example/workflows/1/triggers/manual/paths/invoke?sig=secret',
  ntfy: 'https://ntfy.example/relay-alerts?auth=QmVhcmVyIHg',
  pagerduty: `https://events.pagerduty.example/v2/enqueue?routing_key=${KEY}`,
}

function posted(format: FormatName, alert: Alert) {
  return FORMATS[format]
    .load()
    .post(alert, { url: URLS[format], secret: undefined, at: new Date(0) })
}

/** Every text of the body that people read, but for the commands to copy. */
const READ: Record<Exclude<FormatName, 'standard'>, (body: string) => string[]> = {
  slack: (body) => {
    const { blocks, text } = readSlack(body)
    return [...blocks, text]
  },
  teams: readTeams,
  ntfy: (body) => {
    const { title, message } = readNtfy(body)
    return [title, ...message.split('\n')]
  },
  pagerduty: (body) => {
    const { payload } = readPagerduty(body)
    return payload ? [payload.summary, JSON.stringify(payload.custom_details)] : []
  },
}

const CHATS = Object.keys(READ) as (keyof typeof READ)[]

/** Texts that a spammer chooses: as a domain, an AUTH user, an address, what a rule quotes of a header. */
const HOSTILE = [
  'lure.example',
  'LURE.EXAMPLE',
  'xn--lre-goa.example',
  'lüre。example．com｡net',
  'https://lure.example/login?x=1',
  'http://192.0.2.1/x',
  'a.b.c.lure.example:8080/x',
  'lure.\u0000example \u202elure.\u202aexample lure.\u009bexample',
  '<!channel> <!here> <@U012345> <#C01|x> <https://lure.example|bank>',
  '@everyone @here @channel @all ＠all <at>Ann</at>',
  'user@lure.example',
  '[bank](https://lure.example) ![x](https://lure.example/a.png) [a](b) <b>x</b>',
  '```\n@here\n``` `x` *b* _i_ ~s~ # h',
  '&lt;!channel&gt; &amp; &',
  '{{DATE(2026-01-01T00:00:00Z, SHORT)}} ${title}',
  'x\r\nTitle: y\r\n\r\nz',
  '\u0007\u001b]0;x\u0007',
  '\ud800 lone',
  '"\\'.repeat(3000),
  '&<>'.repeat(3000),
  '\u{1f4a3}.example'.repeat(500),
]

/** An alert of each kind of event whose texts a spammer can choose. */
function alertsOf(text: string): Alert[] {
  const at = Date.parse('2026-11-30T21:00:00.123Z')
  const sender = { domain: text, connector: 'contoso/mx', ip: '2001:db8::1' }
  const sources = { connectors: 'mx 1/1', domains: `${text} 5/5`, addresses: '192.0.2.1 5/5' }
  const own = { id: 'evt_1', at }
  const limit = { window: 3_600_000, limit: 3, used: 3 }
  const trigger = { ...sender, ...limit, meter: 'unregistered' }
  const events = [
    { ...own, kind: 'allowance', percent: 95, ...limit, ...sender, sources },
    {
      ...{ ...own, kind: 'restricted', scope: 'unregistered', by: 'automatic', reason: text },
      ...{ case: 'contoso:1', trigger, windows: [limit], transaction: text, sources },
    },
    { ...own, kind: 'lifted', by: text, reason: text, case: 'contoso:1', resolves: 'evt_0' },
    { ...own, kind: 'unusual', rule: 'foreign', words: text, facts: { domain: text, [text]: 1 } },
    { ...own, kind: 'unattributed', user: text, ip: '192.0.2.1', messages: 9 },
    { ...own, kind: 'many_restricted', from: at, tenants: ['contoso'], changed: [text, text] },
    { ...own, kind: 'test', by: text },
  ] as unknown as Event[]
  return events.map((event) => ({
    id: 'evt_1',
    alert: 'evt_1',
    count: 2,
    ...describeEvent('contoso', event),
  }))
}

/** What a client makes a link or a mention of. */
const LINK = /\p{L}[.\u3002\uff0e\uff61]\p{L}|:\/\/|\]\((?!$)/u
const UNSAFE = /(?!\n)[\p{Cc}\p{Cs}\p{Bidi_Control}]/u
const MENTION = /[@\uff20\ufe6b]/u

function assertHarmless(texts: readonly string[], steps: readonly string[], what: string): void {
  assert.doesNotMatch(texts.join(''), UNSAFE, what)
  for (const text of texts) {
    const lines = text.split('\n').filter((line) => !steps.includes(line))
    for (const line of lines) {
      assert.doesNotMatch(line, LINK, what)
      assert.doesNotMatch(line, MENTION, what)
    }
  }
}

describe('the format', () => {
  for (const format of CHATS) {
    it(`${format} makes no link, mention or markup of what a spammer chose, and stays in its limits`, () => {
      for (const hostile of HOSTILE) {
        for (const alert of alertsOf(hostile)) {
          const what = `${alert.kind}: ${hostile.slice(0, 60)}`
          const { body, headers, url } = posted(format, alert)
          const next = format === 'pagerduty' ? [] : alert.next
          const texts = READ[format](format === 'pagerduty' ? withoutNext(body) : body)
          assertHarmless(texts, next, what)
          // Only what is constant is in a header or in the URL.
          const own = posted(format, anAlert())
          assert.deepEqual([headers, url], [own.headers, own.url], what)
        }
      }
    })

    it(`${format} stays in its limits and defanged whatever is written`, () => {
      const unit = fc.oneof(
        fc.integer({ min: 0, max: 0x10ffff }).map((code) => String.fromCodePoint(code)),
        fc.string({ maxLength: 20 }),
        fc.constantFrom('.', '@', '://', '<!here>', '](', '```', 'a.b', '。', '\u202e', '{{', '&'),
      )
      const written = fc.array(unit, { maxLength: 300 }).map((parts) => parts.join(''))
      fc.assert(
        fc.property(written, (text) => {
          for (const alert of alertsOf(text)) {
            const { body } = posted(format, alert)
            assertHarmless(
              READ[format](format === 'pagerduty' ? withoutNext(body) : body),
              alert.next,
              alert.kind,
            )
          }
        }),
        { numRuns: 60 },
      )
    })

    it(`${format} says what has happened, to whom, and what to do next`, () => {
      const [, restricted] = alertsOf('lure.example')
      const all = READ[format](posted(format, restricted!).body).join('\n')
      assert.match(
        all,
        /High: Tenant restricted from sending unprovisioned email: contoso \(2 times\)/,
      )
      assert.match(all, /lure\[\.\]example/)
      assert.match(all, /tenantctl incident contoso:1/)
      assert.match(all, /2026-11-30T21:00:00\.123Z/)
    })
  }

  it('slack has in its text what its blocks have: Mattermost shows no blocks', () => {
    const [, restricted] = alertsOf('lure.example')
    const { blocks, text } = readSlack(posted('slack', restricted!).body)
    const [title, ...others] = text.split('\n')
    assert.equal(title, blocks[0])
    assert.deepEqual([others[0], others.at(-1)], ['```', '```'])
    for (const block of blocks.slice(1)) {
      for (const part of block.split('\n')) {
        if (part !== 'What to do next:') assert.ok(text.includes(part), part)
      }
    }
  })

  it('slack has one code block in its text, which no text ends', () => {
    const [, restricted] = alertsOf('```\n@here')
    assert.equal(readSlack(posted('slack', restricted!).body).text.split('```').length, 3)
  })

  it('ntfy is posted to its server, with the topic in the body and the access token in the URL', () => {
    const { url, body, headers } = posted('ntfy', anAlert({ severity: 'High' }))
    assert.equal(url, 'https://ntfy.example/?auth=QmVhcmVyIHg')
    assert.deepEqual(Object.keys(headers), ['content-type', 'user-agent'])
    const { topic, priority } = readNtfy(body)
    assert.deepEqual([topic, priority], ['relay-alerts', 5])
    const below = FORMATS.ntfy.load()
    const target = { url: 'https://x.example/ntfy/t', secret: undefined, at: new Date(0) }
    assert.equal(below.post(anAlert(), target).url, 'https://x.example/ntfy/')
  })

  it('pagerduty triggers by the id of an event, and resolves it by what ends it', () => {
    const [, restricted, lifted] = alertsOf('lure.example')
    const trigger = posted('pagerduty', restricted!)
    assert.equal(trigger.url, 'https://events.pagerduty.example/v2/enqueue')
    const { payload, ...routing } = readPagerduty(trigger.body)
    assert.deepEqual(routing, { routing_key: KEY, event_action: 'trigger', dedup_key: 'evt_1' })
    assert.deepEqual([payload?.severity, payload?.source], ['critical', 'contoso'])
    assert.deepEqual(readPagerduty(posted('pagerduty', lifted!).body), {
      ...{ routing_key: KEY, event_action: 'resolve', dedup_key: 'evt_0' },
    })
    // It lasts still: the same incident.
    const again = posted('pagerduty', anAlert({ id: 'evt_again', alert: 'evt_1' }))
    assert.equal(readPagerduty(again.body).dedup_key, 'evt_1')
    const reminder = posted('pagerduty', {
      ...anAlert({ id: 'evt_3', alert: 'evt_3' }),
      continues: 'evt_1',
    })
    assert.equal(readPagerduty(reminder.body).dedup_key, 'evt_1')
  })

  it('standard has all as it was sent, for programs', () => {
    for (const alert of alertsOf('user@lure.example <!here>')) {
      const { data } = JSON.parse(posted('standard', alert).body) as { data: Alert }
      assert.deepEqual(data, JSON.parse(JSON.stringify(alert)))
    }
  })

  it('is not loaded in a process that has no channel of it', () => {
    const script = `const { parseConfig } = require('./src/process/config')
      const loaded = () => Object.keys(require.cache).filter((each) => each.includes('alerts/formats/'))
      parseConfig({}, '/nowhere')
      console.log(loaded().join())
      parseConfig({ 'alert noc': { url: '${URLS.ntfy}', format: 'ntfy' } }, '/nowhere')
      console.log(loaded().join())`
    const node = ['--require', 'tsx/cjs', '-e', script]
    const options = { cwd: packageRoot(), encoding: 'utf8' } as const
    const [without, withNtfy] = execFileSync(process.execPath, node, options).split('\n')
    const named = (files = ''): string[] =>
      FORMAT_NAMES.filter((name) => files.includes(path.join('formats', `${name}.`)))
    assert.deepEqual(named(without), ['standard'])
    assert.deepEqual(named(withNtfy), ['standard', 'ntfy'])
  })
})

/** Commands are to be copied, so they are as they are. */
function withoutNext(body: string): string {
  const event = JSON.parse(body) as { payload?: { custom_details: { next?: unknown } } }
  if (event.payload) delete event.payload.custom_details.next
  return JSON.stringify(event)
}

describe('defanged', () => {
  it('leaves nothing to click, and what is no name as it is', () => {
    for (const [text, expected] of [
      ['lure.example', 'lure[.]example'],
      ['a.b.lure.example.', 'a[.]b[.]lure[.]example.'],
      ['user@lure.example', 'user[at]lure[.]example'],
      ['https://192.0.2.1/a', 'https[:]//192.0.2.1/a'],
      ['192.0.2.1 5/5, 50.5 %', '192.0.2.1 5/5, 50.5 %'],
      ['2026-11-30T21:00:00.123Z', '2026-11-30T21:00:00.123Z'],
      ['One sentence. Another one.', 'One sentence. Another one.'],
      ['lure.\u0000example', 'lure[.]example'],
      ['lure.\u200bexample', 'lure[.]\u200bexample'],
      ['例え。テスト', '例え[.]テスト'],
    ] as const) {
      assert.equal(defanged(text), expected)
    }
  })
})
