import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Keys } from '../../src/store/keys'
import { assertTenantId } from '../../src/mail/identities'

/** What Redis Cluster hashes of a key: between the first `{` and the next `}`, unless that is empty. */
function hashTag(key: string): string {
  const open = key.indexOf('{')
  const close = key.indexOf('}', open + 1)
  return open === -1 || close <= open + 1 ? key : key.slice(open + 1, close)
}

function allKeysOf(keys: Keys, id: string): string[] {
  return [
    keys.tenant(id),
    keys.domains(id),
    keys.usage(id),
    keys.restriction(id),
    keys.receipt(id, '5E5B5E57-3C2D-4B4A-9E0B-000000000000.1'),
  ]
}

describe('keys', () => {
  it('are what operators find in Redis', () => {
    const keys = new Keys('ud:')
    assert.deepEqual(allKeysOf(keys, 'contoso'), [
      'ud:{contoso}',
      'ud:{contoso}:domains',
      'ud:{contoso}:usage',
      'ud:{contoso}:restriction',
      'ud:{contoso}:receipt:5E5B5E57-3C2D-4B4A-9E0B-000000000000.1',
    ])
    assert.equal(keys.tenants, 'ud:{@tenants}')
    assert.equal(keys.restricted, 'ud:{@restricted}')
    assert.equal(keys.changes, 'ud:changes')
    assert.equal(keys.connectors, 'ud:{@connectors}')
    assert.equal(keys.ownerNames, 'ud:{@owners}:names')
  })

  it('of one tenant share its hash tag, whatever the prefix', () => {
    for (const prefix of ['ud:', '', 'a:b:', '@']) {
      for (const id of ['contoso', 'a', '0.-_', 'x'.repeat(63)]) {
        for (const key of allKeysOf(new Keys(prefix), id)) {
          assert.equal(hashTag(key), id)
          assert.ok(key.startsWith(prefix))
        }
      }
    }
  })

  it('that scripts use together share a tag, which no tenant id can be', () => {
    const keys = new Keys('ud:')
    const owners = [
      ...[keys.ownerNames, keys.ownerIndex, keys.ownerVersion, keys.ownerMoves],
      keys.ownerPending,
    ]
    const connectors = [keys.connectors, keys.connectorsToken, keys.connectorIdentities]
    for (const group of [owners, connectors, [keys.tenants], [keys.restricted]]) {
      const tags = new Set(group.map(hashTag))
      assert.equal(tags.size, 1)
      assert.throws(() => assertTenantId([...tags][0]!))
    }
  })

  it('are all different', () => {
    const keys = new Keys('ud:')
    const shared = Object.values(keys).filter((each) => each !== keys.prefix) as string[]
    const all = [...shared, ...allKeysOf(keys, 'a'), ...allKeysOf(keys, 'b')]
    assert.equal(new Set(all).size, all.length)
  })
})
