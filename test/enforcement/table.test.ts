// What is refused while enforcement is paused, and what is not.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { standingOf } from '../../src/decision/classify'
import { judge, type Judgement, type Situation } from '../../src/decision/judge'
import { formatReply } from '../../src/decision/reply'
import type { Attribution } from '../../src/decision/attribution'
import type { Known } from '../../src/directory/snapshot'
import { withPause } from '../../src/enforcement/in-effect'
import type { Mode } from '../../src/mail/mode'
import { envelopeDomain, parseEnvelope } from '../../src/names/envelope'
import type { Config } from '../../src/process/config'
import {
  ATTRIBUTED,
  BLOCKED,
  configWith,
  DISABLED,
  NONE,
  snapshotWith,
  UNDECIDABLE,
} from '../support/judgement'

const AMBIGUOUS: Attribution = { kind: 'ambiguous', connectors: ['a/mx', 'b/mx'] }
const SESSIONS: readonly Attribution[] = [
  ATTRIBUTED,
  BLOCKED,
  DISABLED,
  NONE,
  UNDECIDABLE,
  AMBIGUOUS,
]
const SENDERS = {
  registered: parseEnvelope('ann@contoso.com'),
  unregistered: parseEnvelope('ann@other.example'),
  null: parseEnvelope(''),
}
const FAR = parseEnvelope('bob@far.example')
const PAUSE = { since: 0, until: Date.parse('2026-11-26T14:00:00Z') }

type Sender = keyof typeof SENDERS | 'foreign'

/** A recipient outside of the tenant's domains, or MAIL. */
function situation(
  stage: 'mail' | 'rcpt_ok',
  sender: Sender,
  snapshot: Known,
  attribution: Attribution,
  config: Config,
): Situation {
  const standing = standingOf(
    envelopeDomain(SENDERS[sender === 'foreign' ? 'unregistered' : sender]),
    snapshot,
  )
  return {
    ...{ stage, relaying: true, attribution, snapshot, config },
    sender: sender === 'foreign' ? { ...standing, class: 'foreign', owner: 'fabrikam' } : standing,
    recipient: stage === 'mail' ? undefined : FAR,
  }
}

function paused(config: Config, everything = false): Config {
  return withPause(config, { ...PAUSE, everything })
}

function brief(judgement: Judgement): string {
  if ('reply' in judgement) return formatReply(judgement.reply).split(' ', 2).join(' ')
  return judgement.verdict
}

describe('while enforcement is paused', () => {
  const config = configWith()
  const tripped = snapshotWith({ restricted: 'unregistered' })
  const placed = snapshotWith({ restricted: 'unregistered', by: 'ann' })
  const all = snapshotWith({ restricted: 'all', by: 'ann' })
  const free = snapshotWith()
  const placedMonitor = snapshotWith({ restricted: 'unregistered', by: 'ann', mode: 'monitor' })

  // Without a pause, paused, paused with --everything.
  const ROWS: readonly (readonly [string, Known, Attribution, Sender, string, string, string])[] = [
    ['unregistered mail', free, ATTRIBUTED, 'unregistered', 'charge', 'charge', 'charge'],
    ['registered mail', free, ATTRIBUTED, 'registered', 'pass', 'pass', 'pass'],
    [
      'mail of a tripped tenant',
      tripped,
      ATTRIBUTED,
      'unregistered',
      '550 5.7.750',
      'charge',
      'charge',
    ],
    [
      'mail of a placed one',
      placed,
      ATTRIBUTED,
      'unregistered',
      '550 5.7.750',
      '550 5.7.750',
      'charge',
    ],
    ['registered mail of it', placed, ATTRIBUTED, 'registered', 'pass', 'pass', 'pass'],
    ['of one in monitor', placedMonitor, ATTRIBUTED, 'unregistered', 'charge', 'charge', 'charge'],
    ['of one with --all', all, ATTRIBUTED, 'registered', '550 5.7.705', '550 5.7.705', 'pass'],
    ['a blocked connector', free, BLOCKED, 'registered', '550 5.7.711', '550 5.7.711', 'pass'],
    [
      'a blocked one, tripped',
      tripped,
      BLOCKED,
      'unregistered',
      '550 5.7.711',
      '550 5.7.711',
      'charge',
    ],
    ['a disabled connector', free, DISABLED, 'registered', '550 5.7.64', '550 5.7.64', 'pass'],
    ['no connector, unknown=ignore', undefined, NONE, 'unregistered', 'ignore', 'ignore', 'ignore'],
    ['an ambiguous user', undefined, AMBIGUOUS, 'unregistered', '451 4.3.0', 'pass', 'pass'],
    ['connectors unknown', undefined, UNDECIDABLE, 'unregistered', '451 4.3.0', 'pass', 'pass'],
    ['a tenant unknown', undefined, ATTRIBUTED, 'unregistered', '451 4.3.0', 'pass', 'pass'],
    [
      'a blocked connector of it',
      undefined,
      BLOCKED,
      'unregistered',
      '550 5.7.711',
      '550 5.7.711',
      'pass',
    ],
  ]
  for (const [what, snapshot, attribution, sender, ...expected] of ROWS) {
    it(`${what}: ${expected.join(', ')}`, () => {
      const answers = [config, paused(config), paused(config, true)].map((each) =>
        brief(judge(situation('rcpt_ok', sender, snapshot, attribution, each))),
      )
      assert.deepEqual(answers, expected)
    })
  }

  it('each combination is as without a pause where a person has refused it, else as with override=monitor', () => {
    let rows = 0
    for (const raw of combinations()) {
      const before = configWith(raw)
      const monitor = configWith({ ...raw, main: { ...raw.main, override: 'monitor' } })
      for (const mode of [undefined, 'enforce', 'monitor', 'off'] as const) {
        for (const [snapshot, byPerson] of snapshots(mode)) {
          for (const attribution of SESSIONS) {
            for (const sender of ['registered', 'unregistered', 'foreign', 'null'] as const) {
              for (const stage of ['mail', 'rcpt_ok'] as const) {
                const known = attribution.kind === 'attributed' ? snapshot : undefined
                const by = (each: Config) =>
                  judge(situation(stage, sender, known, attribution, each))
                const row = JSON.stringify([
                  raw,
                  mode,
                  known?.restricted,
                  byPerson,
                  attribution,
                  sender,
                ])
                const [unpaused, monitored] = [by(before), by(monitor)]
                const ofConnector = unpaused.reason.startsWith('connector-')
                const isKept = raw.main.override !== '' || (known && byPerson) || ofConnector
                assert.deepEqual(by(paused(before)), isKept ? unpaused : monitored, row)
                const everything = raw.main.override === '' ? monitored : unpaused
                assert.deepEqual(by(paused(before, true)), everything, row)
                rows++
              }
            }
          }
        }
      }
    }
    assert.ok(rows > 10_000, String(rows))
  })
})

function* combinations() {
  for (const mode of ['enforce', 'monitor', 'off']) {
    for (const override of ['', 'monitor', 'off']) {
      for (const unknown of ['ignore', 'deny']) {
        for (const action of ['charge', 'refuse']) {
          yield { main: { mode, override }, attribution: { unknown }, foreign: { action } }
        }
      }
    }
  }
}

/** Each with whether a person has restricted it. */
function snapshots(mode: Mode | undefined): readonly (readonly [Known, boolean])[] {
  return [
    [snapshotWith({ mode }), false],
    [snapshotWith({ mode, restricted: 'unregistered' }), false],
    [snapshotWith({ mode, restricted: 'unregistered', by: 'ann' }), true],
    [snapshotWith({ mode, restricted: 'all', by: 'ann' }), true],
    [undefined, false],
    [null, false],
  ]
}
