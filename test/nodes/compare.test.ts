import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { compareNodes, DEFAULT, type ComparedNode } from '../../src/nodes/compare'
import { LATE, MISSING, type Node, type NodeConfig, type NodeFacts } from '../../src/nodes/node'
import { aNode } from '../support/nodes'

const NOW = Date.parse('2026-01-01T10:00:00Z')
const SECOND = 1000

/** A process that has just said this. */
function node(facts: Partial<NodeFacts>, seen = NOW): Node {
  return { ...aNode({ clock: seen, applied: (NOW - 60 * SECOND) * 1000, ...facts }), seen }
}

function compare(nodes: Node[], configs: Record<string, NodeConfig> = {}): ComparedNode[] {
  return compareNodes({ now: NOW, nodes }, new Map(Object.entries(configs)))
}

/** What differs, by process. */
function differences(nodes: Node[], configs: Record<string, NodeConfig> = {}): object {
  const all = compare(nodes, configs).filter(({ differs }) => differs.length > 0)
  return Object.fromEntries(
    all.map(({ node: { id }, differs }) => [
      id,
      differs.map(({ what, section, key, is, others }) =>
        [what, section, key, is, others].filter(Boolean).join(' '),
      ),
    ]),
  )
}

describe('processes that are compared', () => {
  it('differ in nothing where all say the same', () => {
    assert.deepEqual(differences([node({ id: 'mx1/a' }), node({ id: 'mx2/b' })]), {})
  })

  it('name the key of the ini file that differs, with both values', () => {
    const configs = {
      d1: { allowance: { limits: '300/1h' }, alerts: { mail_to: 'noc@a.example' } },
      d2: { allowance: { limits: '200/1h' } },
    }
    const config = (digest: string) => ({ digest, ofHost: '', changed: 0 })
    const nodes = [
      node({ id: 'mx1/a', config: config('d1') }),
      node({ id: 'mx2/b', config: config('d1') }),
      node({ id: 'mx3/c', config: config('d2') }),
    ]
    assert.deepEqual(differences(nodes, configs), {
      'mx3/c': [
        'config allowance limits 200/1h 300/1h',
        `config alerts mail_to ${DEFAULT} noc@a.example`,
      ],
    })
    assert.deepEqual(differences(nodes, { d1: configs.d1 }), { 'mx3/c': ['config d2 d1'] })
  })

  it('are judged by what most have, else by what more hosts have', () => {
    const old = { plugin: '1.0.0', haraka: '3.3.4', node: '20.20.2' }
    const few = [node({ id: 'mx1/a', versions: old }), node({ id: 'mx1/b', versions: old })]
    const more = [node({ id: 'mx2/c' }), node({ id: 'mx3/d' })]
    assert.deepEqual(differences([...few, ...more]), {
      'mx1/a': ['version 1.0.0 1.1.0'],
      'mx1/b': ['version 1.0.0 1.1.0'],
    })
  })

  it('do not count while they end or are missing', () => {
    const versions = { plugin: '1.0.0', haraka: '3.3.4', node: '20.20.2' }
    const nodes = [
      node({ id: 'mx1/a' }),
      node({ id: 'mx1/b', versions, draining: true }),
      node({ id: 'mx2/c', versions }, NOW - MISSING),
      node({ id: 'mx2/d' }, NOW - LATE),
    ]
    assert.deepEqual(differences(nodes), {})
    assert.deepEqual(
      compare(nodes).map(({ state }) => state),
      ['live', 'draining', 'missing', 'late'],
    )
  })

  it('are behind where another one heard of a later change more than 10 s before', () => {
    const mark = (ago: number): number => (NOW - ago * SECOND) * 1000
    const behind = (applied: number, heard: number): number =>
      compare([node({ id: 'mx1/a', applied }), node({ id: 'mx2/b', applied: mark(0), heard })])[0]!
        .behind
    assert.equal(behind(mark(60), mark(30)), 30 * SECOND)
    assert.equal(behind(mark(60), mark(5)), 0)
    // It has read everything since.
    assert.equal(behind(mark(20), mark(30)), 0)
    // The other one has read everything since, but nothing has changed.
    assert.equal(behind(mark(60), mark(90)), 0)
    // It has just been started.
    assert.equal(behind(0, mark(30)), 0)
  })

  it('have a clock that is off by more than five seconds', () => {
    const off = (ms: number): number =>
      compare([node({ id: 'mx1/a', clock: NOW + ms })])[0]!.clockOff
    assert.deepEqual([off(5000), off(5001), off(-7000)], [0, 5001, -7000])
  })
})
