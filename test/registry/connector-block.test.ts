import assert from 'node:assert/strict'
import path from 'node:path'
import { describe, it } from 'node:test'
import { scratchDir } from '../../scripts/services/scratch'
import { waitFor } from '../../scripts/services/wait-for'
import { backup } from '../../src/backup/backup'
import { writeLines } from '../../src/registry-file/write-file'
import { openRecords } from '../../src/registry-file/read-file'
import { parseObject } from '../../src/registry-file/format'
import { toRecord } from '../../src/registry-file/record'
import { restore } from '../../src/backup/restore'
import { InputError, NotFoundError, RefusedError } from '../../src/base/errors'
import { connect } from '../../src/store/connection'
import { applyTenantsFile, type ApplyReport } from '../../src/tenants-file/apply'
import { Directory } from '../../src/directory/directory'
import { ensureEpoch } from '../../src/registry/epoch'
import { parseTenantsFile } from '../../src/tenants-file/parse'
import type { Connector } from '../../src/mail/tenant'
import { settingsFor } from '../support/connection'
import { removeTenant } from '../../src/registry/tenant-removal'
import {
  assertConsistent,
  errorOf,
  newSite,
  theRedis,
  useRedis,
  type Site,
} from '../support/registry'

useRedis()

const ACT = { by: 'ann', reason: 'taken over – ticket "4711"' }

/** Contoso with two connectors, of which `edge` is blocked. */
async function blockedSite(): Promise<Site> {
  const site = newSite()
  await ensureEpoch(site.store)
  await site.registry.tenants.add('contoso', {}, 'root')
  await site.registry.connectors.add(
    'contoso',
    'edge',
    { ip: ['192.0.2.1'], auth: ['edge'] },
    'root',
  )
  await site.registry.connectors.add('contoso', 'web', { ip: ['192.0.2.2'] }, 'root')
  assert.equal(await site.registry.connectors.block('contoso', 'edge', ACT), 'blocked')
  return site
}

async function blockOf({ registry }: Site, name = 'edge'): Promise<Connector['blocked']> {
  return (await registry.connectors.get('contoso', name))?.blocked
}

describe('a blocked connector', () => {
  it('says since when, by whom and why, by the clock of the server, and changes in nothing else', async () => {
    const site = await blockedSite()
    const { registry } = site
    const blocked = await registry.connectors.get('contoso', 'edge')
    const since = blocked?.blocked?.since ?? 0
    assert.ok(Math.abs(since - Date.now()) < 60_000)
    assert.deepEqual(blocked?.blocked, { ...ACT, since })
    assert.equal(
      await registry.connectors.block('contoso', 'edge', { ...ACT, reason: 'again' }),
      'unchanged',
    )
    assert.deepEqual(await registry.connectors.get('contoso', 'edge'), blocked)
    assert.equal(await blockOf(site, 'web'), undefined)
    assert.equal(await registry.connectors.unblock('contoso', 'edge', ACT), 'unblocked')
    assert.equal(await registry.connectors.unblock('contoso', 'edge', ACT), 'unchanged')
    const after = await registry.connectors.get('contoso', 'edge')
    assert.deepEqual({ ...after, blocked: blocked.blocked }, blocked)
    assert.equal(after?.blocked, undefined)
    await assertConsistent(site.store)
  })

  it('must be there', async () => {
    const { registry } = await blockedSite()
    for (const each of [
      registry.connectors.block.bind(registry.connectors),
      registry.connectors.unblock.bind(registry.connectors),
    ]) {
      assert.ok((await errorOf(each('contoso', 'gone', ACT))) instanceof NotFoundError)
    }
  })

  it('is blocked for all to hear, or not at all', async () => {
    const site = await blockedSite()
    // Half a character: no JSON that the script could read.
    const act = { ...ACT, reason: '\ud800' }
    await assert.rejects(site.registry.connectors.block('contoso', 'web', act))
    assert.equal(await blockOf(site, 'web'), undefined)
  })

  it('stays so when it is disabled, enabled, or added again', async () => {
    const site = await blockedSite()
    const { registry } = site
    const block = await blockOf(site)
    await registry.connectors.setEnabled('contoso', 'edge', false)
    await registry.connectors.setEnabled('contoso', 'edge', true)
    const same = { ip: ['192.0.2.1'], auth: ['edge'] }
    assert.equal(await registry.connectors.add('contoso', 'edge', same, 'bob'), 'unchanged')
    assert.deepEqual(await blockOf(site), block)
  })

  it('is not removed, nor with its tenant, and nobody else gets what it is recognised by', async () => {
    const site = await blockedSite()
    const { registry, store } = site
    const block = await blockOf(site)
    for (const attempt of [
      () => registry.connectors.remove('contoso', 'edge'),
      () => removeTenant(registry.store, 'contoso'),
      () => registry.connectors.put('contoso', [], 'root', ['edge']),
      () => registry.connectors.add('contoso', 'other', { ip: ['192.0.2.1'] }, 'root'),
    ]) {
      const error = await errorOf(attempt())
      assert.ok(error instanceof RefusedError)
      assert.match(error.message, /contoso\/edge/)
    }
    assert.match(
      (await errorOf(registry.connectors.remove('contoso', 'edge'))).message,
      /is blocked.*tenantctl connector unblock contoso edge --reason/,
    )
    assert.deepEqual(await blockOf(site), block)
    assert.ok(await registry.tenants.get('contoso'))
    await registry.connectors.remove('contoso', 'web')
    await registry.connectors.unblock('contoso', 'edge', ACT)
    await removeTenant(registry.store, 'contoso')
    assert.deepEqual(await registry.connectors.list(), [])
    await assertConsistent(store)
  })
})

describe('applying a tenants file with a blocked connector', () => {
  const file = (connectors: string): string =>
    `id: site-a\ntenants:\n  contoso:\n    connectors:\n${connectors}`
  const EDGE = '      edge: { ip: [192.0.2.1], auth: [edge] }\n'

  /** Dry first, which must tell the same. */
  async function apply({ registry }: Site, text: string, prune = false): Promise<ApplyReport> {
    const parsed = parseTenantsFile(text, 't.yaml')
    const dry = await applyTenantsFile(registry.store, parsed, { prune, dryRun: true })
    const report = await applyTenantsFile(registry.store, parsed, { prune })
    assert.deepEqual(dry, report)
    return report
  }

  it('takes it over, switches it and gives it more, and leaves it blocked', async () => {
    const site = await blockedSite()
    const block = await blockOf(site)
    await apply(site, file(EDGE))
    const more = '      edge: { ip: [192.0.2.1, 192.0.2.9], auth: [edge], enabled: false }\n'
    assert.deepEqual((await apply(site, file(more))).updated, ['connector contoso/edge'])
    const edge = await site.registry.connectors.get('contoso', 'edge')
    assert.deepEqual(edge?.ip, ['192.0.2.1/32', '192.0.2.9/32'])
    assert.equal(edge.enabled, false)
    assert.deepEqual(edge.blocked, block)
  })

  it('applies nothing of the tenant where it would lose an identity, and says where', async () => {
    const site = await blockedSite()
    const moved = '      edge: { ip: [192.0.2.7] }\n' + '      other: { ip: [192.0.2.1] }\n'
    const { errors, added } = await apply(site, file(moved))
    assert.deepEqual(added, [])
    assert.match(
      errors[0]?.message ?? '',
      /^t\.yaml:5:\d+: tenant contoso: connector contoso\/edge is blocked.*connector unblock/,
    )
    assert.equal(errors.length, 1)
    assert.equal(await site.registry.connectors.get('contoso', 'other'), undefined)
    await site.registry.connectors.unblock('contoso', 'edge', ACT)
    assert.deepEqual((await apply(site, file(moved))).errors, [])
  })

  it('prunes the others, and refuses to prune it, in the tenant and with the tenant', async () => {
    const site = await blockedSite()
    const block = await blockOf(site)
    await apply(site, file(EDGE + '      old: { ip: [192.0.2.3] }\n'))
    const without = await apply(site, file('      new: { ip: [192.0.2.4] }\n'), true)
    assert.deepEqual(without.removed, ['connector contoso/old'])
    assert.deepEqual(without.added, ['connector contoso/new'])
    assert.equal(without.refused.length, 1)
    assert.match(without.refused[0] ?? '', /contoso\/edge is blocked/)
    // A new connector in place of the blocked one.
    const renamed = await apply(site, file('      edge2: { ip: [192.0.2.1] }\n'), true)
    assert.match(
      renamed.errors[0]?.message ?? '',
      /192\.0\.2\.1.*belongs to connector contoso\/edge/,
    )
    const other = 'id: site-a\ntenants:\n  fabrikam: {}\n'
    const gone = await apply(site, other, true)
    assert.match(gone.refused[0] ?? '', /contoso\/edge is blocked/)
    assert.deepEqual(await blockOf(site), block)
    await assertConsistent(site.store)
  })

  it('refuses to prune it where its tenant is from elsewhere', async () => {
    const site = await blockedSite()
    await apply(site, file(EDGE))
    await site.registry.tenants.set('contoso', {}, { source: 'root' })
    const { refused, removed } = await apply(site, 'id: site-a\ntenants:\n  fabrikam: {}\n', true)
    assert.match(refused[0] ?? '', /contoso\/edge is blocked/)
    assert.deepEqual(removed, [])
    assert.ok(await blockOf(site))
  })
})

describe('a backup with a blocked connector', () => {
  async function backUp({ store }: Site): Promise<string> {
    const file = path.join(scratchDir('backup'), 'backup.jsonl')
    await backup(store, (header, lines) => writeLines(file, header, lines, { verify: true }))
    return file
  }

  async function restoreFrom({ store }: Site, file: string, force = false) {
    const opened = await openRecords(file)
    try {
      return await restore(store, opened, { force })
    } finally {
      await opened.close()
    }
  }

  it('blocks it again where it is restored', async () => {
    const site = await blockedSite()
    const block = await blockOf(site)
    const file = await backUp(site)
    const other = newSite()
    assert.equal((await restoreFrom(other, file)).leftOut.count, 0)
    assert.deepEqual(await blockOf(other), block)
    await site.registry.connectors.unblock('contoso', 'edge', ACT)
    await restoreFrom(site, file, true)
    assert.deepEqual(await blockOf(site), block)
  })

  it('from before the block lifts nothing', async () => {
    const site = await blockedSite()
    await site.registry.connectors.unblock('contoso', 'edge', ACT)
    const file = await backUp(site)
    await site.registry.connectors.block('contoso', 'edge', ACT)
    const block = await blockOf(site)
    assert.equal((await restoreFrom(site, file)).result, 'unchanged')
    // Another difference, so that it is written.
    await site.registry.connectors.setEnabled('contoso', 'edge', false)
    await restoreFrom(site, file, true)
    const edge = await site.registry.connectors.get('contoso', 'edge')
    assert.equal(edge?.enabled, true)
    assert.deepEqual(edge.blocked, block)
  })

  it('from before it got an identity leaves it as it is, and says so', async () => {
    const site = newSite()
    await ensureEpoch(site.store)
    await site.registry.tenants.add('contoso', {}, 'root')
    await site.registry.connectors.add('contoso', 'edge', { ip: ['192.0.2.8'] }, 'root')
    const file = await backUp(site)
    await site.registry.connectors.remove('contoso', 'edge')
    await site.registry.connectors.add('contoso', 'edge', { ip: ['192.0.2.9'] }, 'root')
    await site.registry.connectors.block('contoso', 'edge', ACT)
    const { leftOut } = await restoreFrom(site, file, true)
    assert.match(leftOut.named.join(), /contoso\/edge is blocked/)
    assert.deepEqual((await site.registry.connectors.get('contoso', 'edge'))?.ip, ['192.0.2.9/32'])
    assert.ok(await blockOf(site))
  })

  it('is refused where the block is not one', () => {
    const line = (blocked: unknown): string =>
      JSON.stringify({
        type: 'connector',
        id: 'contoso/edge',
        value: JSON.stringify({
          ...{ ip: ['192.0.2.1/32'], cert: [], certSha256: [], auth: [] },
          ...{ enabled: true, addedBy: 'root', addedAt: 1, blocked },
        }),
      })
    const good = { by: 'ann', reason: 'why', since: 1 }
    toRecord(parseObject(line(good), 'f:1'), 'f:1')
    for (const bad of [
      true,
      null,
      { ...good, since: 'x' },
      { ...good, by: 7 },
      { ...good, reason: 'a\nb' },
      { by: 'ann', reason: 'why' },
    ]) {
      assert.throws(
        () => toRecord(parseObject(line(bad), 'f:1'), 'f:1'),
        InputError,
        JSON.stringify(bad),
      )
    }
  })
})

describe('a process that follows changes', () => {
  it('is told of each block and each unblock once, by a message and after a gap', async () => {
    const site = newSite()
    const { registry, store } = site
    await ensureEpoch(store)
    await registry.tenants.add('contoso', {}, 'root')
    await registry.connectors.add('contoso', 'edge', { ip: ['192.0.2.1'] }, 'root')
    const told: string[] = []
    const directory = new Directory(store, {
      onReady() {},
      onRestriction() {},
      onConnectorBlock: ({ name, blocked }) => told.push(`${name} ${blocked?.by ?? 'unblocked'}`),
      onError() {},
    })
    const subscriber = connect(settingsFor(theRedis()), () => {})
    directory.follow(subscriber)
    await waitFor(() => directory.connectors)
    const isBlocked = (): boolean =>
      directory.connectors?.get('contoso/edge')?.blocked !== undefined

    await registry.connectors.block('contoso', 'edge', ACT)
    await waitFor(isBlocked)
    await registry.connectors.setEnabled('contoso', 'edge', false)
    await waitFor(() => directory.connectors?.get('contoso/edge')?.enabled === false)
    await registry.connectors.unblock('contoso', 'edge', ACT)
    await waitFor(() => !isBlocked())
    assert.deepEqual(told, ['edge ann', 'edge unblocked'])

    directory.stop()
    await registry.connectors.block('contoso', 'edge', { ...ACT, by: 'bob' })
    await directory.loadConnectors()
    await directory.loadConnectors()
    assert.ok(isBlocked())
    assert.deepEqual(told.slice(2), ['edge bob'])
  })
})
