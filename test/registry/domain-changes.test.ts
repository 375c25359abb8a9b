import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { applyChange, type DomainsChange } from '../../src/registry/domain-changes'
import { ChangeBuffer } from '../../src/directory/change-buffer'
import { parseFlags, type DomainFlags } from '../../src/registry/formats'
import { acceptedDomains } from '../support/judgement'

function change(
  previous: string,
  token: string,
  domains: Record<string, string | null> = {},
): DomainsChange {
  const entries = Object.entries(domains)
  return {
    ...{ previous, token },
    domains: new Map(entries.map(([domain, flags]) => [domain, flags && parseFlags(flags)])),
  } as DomainsChange
}

function heardOf(...changes: readonly DomainsChange[]): ChangeBuffer<DomainsChange> {
  const heard = new ChangeBuffer<DomainsChange>()
  for (const each of changes) heard.add(each)
  return heard
}

describe('a change of accepted domains', () => {
  it('is made in the list itself', () => {
    const list = acceptedDomains({ 'a.example': '-', 'b.example': 's' })
    applyChange(list, change('1', '2', { 'b.example': null, 'c.example': 's', 'a.example': 'h' }))
    assert.deepEqual(list, acceptedDomains({ 'a.example': 'h', 'c.example': 's' }))
  })

  it('ends right in a list that has some of it, or of what came later', () => {
    const name = fc.constantFrom('a', 'b', 'c', 'd')
    const value = fc.option(fc.constantFrom('-', 's', 'h', 'sh'))
    const domains = fc.dictionary(name, value)
    const lists = fc.array(domains, { minLength: 1, maxLength: 8 })
    // Which state of the list each name was read in.
    const seenAt = fc.record({ a: fc.nat(8), b: fc.nat(8), c: fc.nat(8), d: fc.nat(8) })
    fc.assert(
      fc.property(lists, seenAt, (news, seen) => {
        const changes = news.map((each, at) => change(`${at}`, `${at + 1}`, each))
        const states = [new Map<string, DomainFlags>()]
        for (const each of changes) {
          const next = new Map(states.at(-1))
          applyChange(next, each)
          states.push(next)
        }
        const read = new Map<string, DomainFlags>()
        for (const [domain, at] of Object.entries(seen)) {
          const found = states[Math.min(at, changes.length)]!.get(domain)
          if (found !== undefined) read.set(domain, found)
        }
        for (const each of heardOf(...changes).after('0')) applyChange(read, each)
        assert.deepEqual(new Map([...read].sort()), new Map([...states.at(-1)!].sort()))
      }),
    )
  })
})

describe('changes that were heard', () => {
  const [first, second, third] = [change('1', '2'), change('2', '3'), change('3', '4')]

  it('lead on from a token as far as there is no gap', () => {
    assert.deepEqual([...heardOf(first, second, third).after('2')], [second, third])
    assert.deepEqual([...heardOf(first, third).after('1')], [first])
    assert.deepEqual([...heardOf(first).after('9')], [])
  })

  it('lead to a token, or do not', () => {
    const heard = heardOf(first, second)
    assert.equal(heard.connects('1', '3'), true)
    assert.equal(heard.connects('1', '2'), true)
    assert.equal(heard.connects('9', '9'), true)
    assert.equal(heard.connects('2', '1'), false)
    assert.equal(heard.connects('1', '4'), false)
    assert.equal(heardOf(first, third).connects('1', '4'), false)
  })

  it('may come in any order, and twice', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([first, second, third, first], { minLength: 4 }), (all) => {
        assert.deepEqual([...heardOf(...all).after('1')], [first, second, third])
      }),
    )
  })

  it('know which was the last', () => {
    assert.equal(heardOf().last, undefined)
    assert.equal(heardOf(second, first).last, '2')
  })

  it('come to an end, whatever they say', () => {
    assert.equal([...heardOf(change('1', '1')).after('1')].length, 1)
    assert.equal([...heardOf(first, change('2', '1')).after('1')].length, 2)
    assert.equal(heardOf(first, change('2', '1')).connects('1', '9'), false)
  })
})
