import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loadConfig } from '../../src/process/config-file'
import { DAY, HOUR } from '../../src/reporting/calendar'
import type { RuleName } from '../../src/unusual/rule'
import { findUnusual, RULES } from '../../src/unusual/rules'
import type { Mail } from '../support/reports'
import { innocents, takeovers } from './scenarios'
import { days, NOW, Scenario, TODAY } from './scenario'

const SETTINGS = loadConfig(undefined).config.unusual

/** Rules that compare whole days only, or count refused mail too. */
const ALL_COUNTS: readonly RuleName[] = ['steady', 'foreign', 'header_from']

function wordsOf(scenario: Scenario, settings = SETTINGS): Record<string, string> {
  const found = findUnusual(scenario.history(), settings)
  return Object.fromEntries(found.map(({ rule, words }) => [rule, words]))
}

describe('a takeover', () => {
  for (const { name, rule, also, words, build } of takeovers) {
    it(`${name}: ${rule}`, () => {
      const found = wordsOf(build())
      assert.equal(found[rule], words)
      assert.deepEqual(Object.keys(found).sort(), [rule, ...also].sort())
    })

    it(`${name}: not if ${rule} is turned off`, () => {
      assert.equal(wordsOf(build(), { ...SETTINGS, ...off(rule) })[rule], undefined)
    })

    it(`${name}: not from refused, deferred or refunded mail`, () => {
      const scenario = build()
      const mails = scenario.mails.splice(0).map((mail) => {
        if (mail.at < TODAY - DAY) return mail
        const { accepted = 0, ...rest } = mail
        return { ...rest, refused: accepted, deferred: accepted, refunded: accepted }
      })
      assert.deepEqual(
        wordsOf(scenario.send(...mails)),
        ALL_COUNTS.includes(rule) ? wordsOf(scenario) : {},
      )
    })
  }
})

describe('foreign mail', () => {
  const neighbour = (mail: Partial<Mail>): Scenario =>
    new Scenario().send({
      ...{ at: NOW - HOUR, domain: 'fabrikam.com', class: 'foreign', owner: 'fabrikam' },
      ...mail,
    })

  it('is unusual even if all of it was refused, at MAIL or later', () => {
    for (const refused of [{ refused: 20 }, { messages: { refused: 20 } }]) {
      assert.match(
        wordsOf(neighbour(refused))['foreign'] ?? '',
        /^20 recipients .* fabrikam.com, which belongs to fabrikam; none in the seven days/,
      )
    }
  })

  it('is not unusual if deferred, or below [unusual] foreign', () => {
    assert.deepEqual(wordsOf(neighbour({ deferred: 500 })), {})
    assert.deepEqual(wordsOf(neighbour({ refused: 19 })), {})
  })

  it('is unusual on the first day of a tenant', () => {
    const scenario = neighbour({ accepted: 20 })
    scenario.knownSince = NOW - 2 * HOUR
    assert.deepEqual(Object.keys(wordsOf(scenario)), ['foreign'])
  })

  it('counts as unregistered mail for the other rules', () => {
    const burst = wordsOf(neighbour({ accepted: 100 }))
    assert.deepEqual(Object.keys(burst).sort(), ['foreign', 'new_source', 'quiet_days', 'volume'])
  })
})

describe('mail of the null sender', () => {
  it('is unusual, with the domain most often in From', () => {
    const scenario = new Scenario().send({ at: NOW - HOUR, accepted: 30, class: 'null' })
    const nullHeaderFrom = [
      { domain: '', connector: 'contoso/mx', messages: 9 },
      { domain: 'bank.example', connector: 'contoso/mx', messages: 8 },
    ]
    const [found] = findUnusual({ ...scenario.history(), nullHeaderFrom }, SETTINGS)
    assert.match(
      found!.words,
      /^30 recipients .*, with bank.example most often in From; there were/,
    )
    assert.deepEqual(
      [found!.facts['domain'], found!.facts['connector']],
      ['bank.example', 'contoso/mx'],
    )
  })
})

describe('an innocent look-alike', () => {
  for (const { name, build } of innocents) {
    it(`${name} is not unusual`, () => {
      assert.deepEqual(wordsOf(build()), {})
    })
  }
})

describe('a tenant with a short history', () => {
  for (const { name, rule, build } of takeovers) {
    it(`${name}: ${rule} waits`, () => {
      const scenario = build()
      const { needs } = RULES.find((each) => each.name === rule)!
      if (needs(SETTINGS) === 0) return
      scenario.knownSince = NOW - needs(SETTINGS) + DAY
      assert.equal(wordsOf(scenario)[rule], undefined)
    })
  }

  it('has no finding on the day of its first mail', () => {
    const scenario = new Scenario().connector('mx', { addedAt: NOW - 2 * HOUR })
    scenario.knownSince = NOW - 2 * HOUR
    for (let each = 0; each < 100; each++) {
      scenario.send({ at: NOW - HOUR, accepted: 2, domain: `parent${each}.example` })
    }
    assert.deepEqual(wordsOf(scenario), {})
  })
})

function off(rule: RuleName): object {
  const key = rule.replace(/_(\w)/, (_, letter: string) => letter.toUpperCase())
  assert.ok(key in SETTINGS)
  return { [key]: 0 }
}

describe('RULES', () => {
  it('are each tested on a takeover', () => {
    assert.deepEqual(
      [...new Set(takeovers.map(({ rule }) => rule))].sort(),
      RULES.map(({ name }) => name).sort(),
    )
  })

  it('find nothing in a usual month', () => {
    assert.deepEqual(wordsOf(new Scenario().routine({ days: days(0, 40) })), {})
  })
})
