import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { scratchDir } from '../../scripts/services/scratch'
import { channelsOn, channelWarnings, type AlertChannels } from '../../src/alerts/channel-settings'
import { leastSeverity } from '../../src/alerts/wanted'
import { checkSecrets } from '../../src/cli/doctor/secrets'
import {
  CONFIG_FILE,
  readConfigFile,
  secretFiles,
  type ConfigFile,
} from '../../src/process/config-file'
import { WEBHOOK_SECRET } from '../support/webhook-endpoint'

const SLACK = 'https://hooks.slack.example/services/T0/B0/very-secret'
const PAGER = `https://events.pagerduty.example/v2/enqueue?routing_key=${'k'.repeat(32)}`

function site(ini: string): string {
  const place = path.join(scratchDir('site'), 'config')
  mkdirSync(place)
  writeFileSync(path.join(place, CONFIG_FILE), ini, { mode: 0o600 })
  return place
}

function read(ini: string, before?: ConfigFile): ConfigFile {
  const running = before && { started: before.settings, now: before.settings }
  return readConfigFile(site(ini), running ? { running } : {})!
}

/** `line: message; instead` each, checked to reveal no URL. */
function messages({ errors }: ConfigFile): string[] {
  const all = errors.map(({ line, message, instead }) => `${line ?? ''}: ${message}; ${instead}`)
  assert.doesNotMatch(all.join('\n'), /very-secret|kkkk/)
  return all
}

function channels({ config }: ConfigFile): AlertChannels {
  return config.alertChannels
}

describe('[alert NAME]', () => {
  it('is a channel for each NAME, with the defaults of its format', () => {
    const file = read(
      `[alert noc]\nurl=${SLACK}\nformat=slack\n[alert constructor]\nmail=ops@relay.example\nmin_severity=Medium\nkinds=restricted, lifted\n[ alert on-call ]\nurl=${PAGER}\nformat=pagerduty\n`,
    )
    assert.deepEqual(messages(file), [])
    assert.deepEqual([...channels(file).keys()], ['noc', 'constructor', 'on-call'])
    assert.deepEqual(channels(file).get('noc'), {
      ...{ url: SLACK, mail: [], format: 'slack', secret: undefined },
      ...{ minSeverity: undefined, kinds: [] },
    })
    const { mail, minSeverity, kinds } = channels(file).get('constructor')!
    assert.deepEqual([mail, minSeverity], [['ops@relay.example'], 'Medium'])
    assert.deepEqual(kinds, ['restricted', 'lifted'])
    assert.deepEqual([...channels(file).values()].map(leastSeverity), [
      'Informational',
      'Medium',
      'High',
    ])
    assert.deepEqual(channelsOn(file.config), ['noc', 'constructor', 'on-call'])
  })

  it('has no NAME that a group in Redis, a label or a shell would take otherwise', () => {
    for (const name of [
      'alert',
      'alert Ops',
      'Alert ops',
      'alert a_b',
      'alert -a',
      'alert  a',
      'alert a b',
      `alert ${'a'.repeat(32)}`,
      'alert mail',
      'alert webhook',
      'alert contact',
    ]) {
      const file = read(`[${name}]\nmail=a@b.example\n`)
      assert.equal(channels(file).size, 0, name)
      assert.match(
        messages(file).join('\n'),
        /^1: \[.*\]: no such section; write \[alert NAME\]: a NAME has up to 31 of a-z, 0-9 and -, and is not webhook, mail, contact; its keys have no effect$/,
        name,
      )
    }
    assert.deepEqual(
      [...channels(read(`[alert ${'a'.repeat(31)}]\nmail=a@b.example\n`)).values()].length,
      1,
    )
  })

  it('has wrong keys named, and says where a key belongs', () => {
    const file = read('[alerts]\nformat=slack\n[alert noc]\nmail=a@b.example\nmail_to=x\nurls=y\n')
    assert.deepEqual(messages(file), [
      '2: [alerts] format: no such key; it belongs below [alert NAME]; the line has no effect',
      '5: [alert noc] mail_to: no such key; it belongs below [alerts]; the line has no effect',
      '6: [alert noc] urls: no such key; there are url, url_file, mail, format, secret, secret_file, min_severity, kinds; the line has no effect',
    ])
  })

  it('is off where it has a mistake at the start, and no other channel is', () => {
    for (const [keys, message] of [
      ['kinds=restricted', /url: empty, as mail is: alerts have nowhere to go/],
      [`url=${SLACK}\nformat=slack\nmail=a@b.example`, /mail: there is a url, too: write two/],
      [`url=${SLACK}`, /secret: empty, and the receiver could not tell .*openssl rand/],
      [`url=${SLACK}\nformat=slac`, /format: "slac" is not one of standard, slack, teams, ntfy/],
      [`url=${SLACK}\nformat=pagerduty`, /url: has no routing_key of 32 characters: write https/],
      [`url=${PAGER.slice(0, -1)}\nformat=pagerduty`, /url: has no routing_key of 32 characters/],
      ['url=https://ntfy.example/\nformat=ntfy', /url: has no topic: write https:\/\/HOST\/TOPIC/],
      ['url=very-secret\nformat=slack', /url: is no URL: write https:\/\/HOST\/PATH/],
      ['url_file=nowhere\nformat=slack', /url_file: .*nowhere does not exist/],
    ] as const) {
      const file = read(`[alert noc]\n${keys}\n[alert other]\nmail=a@b.example\n`)
      assert.equal(messages(file).length, 1, keys)
      assert.match(messages(file)[0]!, message)
      assert.deepEqual(channelsOn(file.config), ['other'], keys)
    }
  })

  it('needs no secret where the URL leads to this host', () => {
    const file = read('[alert noc]\nurl=http://127.0.0.1:8000/x\n')
    assert.deepEqual(messages(file), [])
    assert.deepEqual(channelWarnings(channels(file)), [])
  })

  it('is told to leave out a secret that signs nothing, and to use TLS', () => {
    const file = read(
      `[alert noc]\nurl=${SLACK.replace('https', 'http')}\nformat=slack\nsecret=${WEBHOOK_SECRET}\n`,
    )
    const texts = channelWarnings(channels(file)).map(({ message }) => message)
    assert.match(texts[0]!, /^\[alert noc\] url begins with http:\/\/ and leads to another host/)
    assert.match(texts[1]!, /^\[alert noc\] secret is set, but only format=standard signs/)
    assert.doesNotMatch(texts.join(), /very-secret/)
  })

  it('has its settings of before when a change of the file is wrong', () => {
    const first = read(`[alert noc]\nurl=${SLACK}\nformat=slack\nmin_severity=high\n`)
    const wrong = read(`[alert noc]\nurl=${SLACK}\nmin_severity=hi\nformat=slack\n`, first)
    assert.match(messages(wrong)[0]!, /^3: \[alert noc\] min_severity: .*; min_severity=high stays/)
    assert.equal(channels(wrong).get('noc')?.minSeverity, 'High')
    const less = read('[alert noc]\nformat=slack\n', first)
    assert.match(messages(less)[0]!, /url: empty.*; all of \[alert noc\] stays as it was$/)
    assert.equal(channels(less).get('noc')?.url, SLACK)
    const more = read(`[alert noc]\nurl=${SLACK}\nformat=slack\n[alert b]\nkinds=test\n`, first)
    assert.match(messages(more)[0]!, /url: empty.*; \[alert b\] is not in effect$/)
    assert.deepEqual(channelsOn(more.config), ['noc'])
  })

  it('stays while its section line is damaged, and goes with its section', () => {
    const keys = `url=${SLACK}\nformat=slack\n`
    const first = read(`[alert noc]\n${keys}`)
    for (const line of ['[alret noc]', '[alert noc', '[alert noc] ; chat', '[alert noc)']) {
      const file = read(`${line}\n${keys}`, first)
      assert.ok(messages(file).length > 0, line)
      assert.deepEqual(channelsOn(file.config), ['noc'], line)
    }
    const gone = read('[main]\nmode=enforce\n', first)
    assert.deepEqual([messages(gone), channelsOn(gone.config)], [[], []])
  })

  it('has its files with secrets checked as others are', () => {
    const place = site('[alert noc]\nurl_file=noc.url\nformat=slack\n')
    writeFileSync(path.join(place, 'noc.url'), `${SLACK}\n`)
    chmodSync(path.join(place, 'noc.url'), 0o644)
    const file = readConfigFile(place)!
    assert.equal(channels(file).get('noc')?.url, SLACK)
    const [line] = checkSecrets(secretFiles(place, file))
    assert.equal(line?.level, 'warn')
    assert.match(line.message, /noc\.url holds a password or a key, and has mode 0644/)
    const inline = site(`[alert noc]\nurl=${SLACK}\nformat=slack\n`)
    assert.deepEqual(secretFiles(inline, readConfigFile(inline)!), [path.join(inline, CONFIG_FILE)])
  })
})
